#!/usr/bin/env bash
# What the image's libraries are, and what is known against them: supply_chain.sh sbom|audit.
#   sbom   installs requirements.txt into an environment of its own and writes it down as CycloneDX: build/sbom.json
#   audit  asks the vulnerability service for every library of requirements.txt; fails where it cannot ask for one
# uv has to be on PATH. The tools come from requirements-audit.txt and stay out of the development environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=build/audit-tools
libraries=build/image-libraries

# An environment with what a lock holds, and nothing else.
environment() {
    uv venv --quiet --clear --python "${PYTHON:-python3}" "$1"
    uv pip install --quiet --python "$1" --require-hashes --only-binary :all: --requirement "$2"
}

environment "$tools" requirements-audit.txt
case "${1:-}" in
sbom)
    environment "$libraries" requirements.txt
    "$tools/bin/cyclonedx-py" environment "$libraries/bin/python" --pyproject pyproject.toml --mc-type application \
        --output-reproducible --output-format JSON --output-file build/sbom.json "${@:2}"
    # It stands in the code, where pyproject.toml does not hold it.
    "$tools/bin/python" - build/sbom.json "$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' dhos_connector_api/__init__.py)" <<'END'
import json, pathlib, sys

path = pathlib.Path(sys.argv[1])
bill = json.loads(path.read_text())
bill["metadata"]["component"]["version"] = sys.argv[2]
path.write_text(json.dumps(bill, indent=2) + "\n")
END
    echo "build/sbom.json"
    ;;
audit)
    "$tools/bin/pip-audit" --requirement requirements.txt --require-hashes --disable-pip --strict "${@:2}"
    ;;
*)
    echo "supply_chain.sh sbom|audit" >&2
    exit 2
    ;;
esac

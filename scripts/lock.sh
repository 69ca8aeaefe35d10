#!/usr/bin/env bash
# Write the locks from pyproject.toml: pinned, with hashes, without any host. --upgrade takes newest versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lock() {
    uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-header \
        --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml "$@"
}

lock --extra dev --output-file requirements-dev.txt "$@"
# The smaller ones take the versions of the large one.
rm -f requirements-local.txt requirements.txt
lock --extra local --constraint requirements-dev.txt --output-file requirements-local.txt
lock --constraint requirements-dev.txt --output-file requirements.txt

# Tools that run beside everything else need no versions in common with it.
uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --group audit --output-file requirements-audit.txt "$@"

if grep -n '://' requirements*.txt; then
    echo "a lock names a host" >&2
    exit 1
fi

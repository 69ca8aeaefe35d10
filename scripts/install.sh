#!/usr/bin/env bash
# Make .venv from a lock: install.sh requirements-local.txt|requirements-dev.txt. Does nothing when it is up to date.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lock=${1:?which lock?}
python="$root/.venv/bin/python"

fail() {
    echo "$*" >&2
    exit 1
}

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.14 python; do
        if [ -n "$candidate" ] && usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found; PYTHON=/path/to/python names one"
}

# The lock for development has everything the other has, in the same versions.
for installed in "$lock" requirements-dev.txt; do
    if usable "$python" && cmp -s "$root/$installed" "$root/.venv/installed-$installed"; then
        exit 0
    fi
done

if ! usable "$python" || ! "$python" -m pip --version >/dev/null 2>&1; then
    found=$(find_python)
    "$found" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python's venv module is not complete; on Debian and Ubuntu: apt-get install python3-venv"
    "$found" -m venv --clear "$root/.venv" >&2 || fail "the virtual environment .venv could not be made"
fi

echo "Installing $lock into .venv; once, about half a minute ..." >&2
rm -f "$root"/.venv/installed-*
"$python" -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: \
    --require-hashes --requirement "$root/$lock" >&2 || fail "the libraries of $lock could not be installed"
cp "$root/$lock" "$root/.venv/installed-$lock"

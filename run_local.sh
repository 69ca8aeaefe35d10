#!/usr/bin/env bash
# Run the Connector on this machine; all it needs is Python 3.11 or newer.
#
#   ./run_local.sh           set everything up and serve on port 5000
#   ./run_local.sh 8080      on another port
#   ./run_local.sh COMMAND   any command, with the same settings: token, send FILE, outbox list, --help ...
#   ./run_local.sh flask db  Flask's own command line, for migrations
#
# Every setting can be given by environment (the README lists them). LOCAL_STATE is where the embedded
# PostgreSQL and the development keys are kept; CONNECTOR_PYTHON is a Python that has the libraries.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "$*" >&2
    exit 1
}

# A setting that is not set, or empty, gets this value.
default() {
    [ -n "${!1:-}" ] || export "$1=$2"
}

secret() {
    od -An -v -tx1 -N64 /dev/urandom | tr -d ' \n'
}

make_keys() {
    umask 077
    mkdir -p "$LOCAL_STATE" || fail "the folder LOCAL_STATE cannot be made"
    {
        echo "HS_KEY=$(secret)"
        echo "PX_HS_KEY=$(secret)"
        echo "EPR_SERVICE_ADAPTER_ISSUER=http://epr-service-adapter.localhost/"
        echo "EPR_SERVICE_ADAPTER_HS_KEY=$(secret)"
    } >"$LOCAL_STATE/development.env.$$"
    mv "$LOCAL_STATE/development.env.$$" "$LOCAL_STATE/development.env"
}

if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
    if [ "${#1}" -gt 5 ] || [ "$1" -lt 1 ] || [ "$1" -gt 65535 ]; then
        fail "a port is a number from 1 to 65535"
    fi
    export SERVER_PORT="$1"
    shift
    [ $# -eq 0 ] || fail "nothing goes after the port"
fi

python="${CONNECTOR_PYTHON:-}"
if [ -z "$python" ]; then
    "$root/scripts/install.sh" requirements-local.txt
    python="$root/.venv/bin/python"
fi

default LOCAL_STATE "$root/.local"
default ENVIRONMENT DEVELOPMENT
if [[ "$ENVIRONMENT" =~ ^[Dd][Ee][Vv] ]]; then
    [ -f "$LOCAL_STATE/development.env" ] || (make_keys)
    # made by an older build
    grep -q '^PX_HS_KEY=' "$LOCAL_STATE/development.env" ||
        echo "PX_HS_KEY=$(secret)" >>"$LOCAL_STATE/development.env"
    while IFS='=' read -r name value; do
        default "$name" "$value"
    done <"$LOCAL_STATE/development.env"
    default PROXY_URL http://localhost
fi
default SERVER_HOST 127.0.0.1
default LOG_FORMAT "$([ -t 2 ] && echo colour || echo plain)"
default GIT_HASH "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

if [ "${1:-}" = flask ]; then
    shift
    exec "$python" -m flask --app "$root/migrations/application.py" "$@"
fi
exec "$python" -m dhos_connector_api "${@:-all}"

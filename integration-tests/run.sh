#!/usr/bin/env bash
# Run the integration tests: run.sh [--docker] [behave's own arguments]. README.md says what it needs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$here")

fail() {
    echo "INTEGRATION TESTS CANNOT RUN: $*" >&2
    exit 1
}

new_secret() {
    od -An -tx1 -N64 /dev/urandom | tr -d ' \n'
}

# Keys of this run only; both ways of running read them from the environment.
HS_KEY=$(new_secret)
EPR_SERVICE_ADAPTER_HS_KEY=$(new_secret)
PX_HS_KEY=$(new_secret)
AUTH_REQUESTS_PER_MINUTE=1000 # one address asks for everybody
POLARIS_API_KEY=$(new_secret)
MIRTH_PASSWORD=$(new_secret)
HIS_WEBHOOK_SECRET=$(new_secret)
HIS_WEBHOOK_SECRET_PREVIOUS=$(new_secret)
export HS_KEY EPR_SERVICE_ADAPTER_HS_KEY PX_HS_KEY AUTH_REQUESTS_PER_MINUTE POLARIS_API_KEY MIRTH_PASSWORD
export HIS_WEBHOOK_SECRET HIS_WEBHOOK_SECRET_PREVIOUS

if [ "${1:-}" = "--docker" ]; then
    shift
    docker compose version >/dev/null 2>&1 || fail "docker compose is not installed"
    DATABASE_PASSWORD=$(new_secret)
    RABBITMQ_PASSWORD=$(new_secret)
    export DATABASE_PASSWORD RABBITMQ_PASSWORD
    compose=(docker compose --file "$here/docker-compose.yml" --project-name connector-integration)
    trap '"${compose[@]}" down --volumes --remove-orphans' EXIT
    "${compose[@]}" build
    "${compose[@]}" run --rm behave behave "$@"
    exit
fi

python=python3
[ -x "$repository/.venv/bin/python" ] && python="$repository/.venv/bin/python"
"$python" -c 'import behave, pika, sqlalchemy' 2>/dev/null || fail "run 'make install' first ($python lacks libraries)"

# What the caller has set for a Connector of his own must not leak in.
unset CONNECTOR_URL CONNECTOR_METRICS_URL SHUTDOWN_DELAY SITE_CONFIG METRICS_PORT RELAY_METRICS_PORT DELIVER_METRICS_PORT CONSUME_METRICS_PORT RABBITMQ_DISABLED
unset HL7_TRANSFORMER_MODULE SERVER_TIMEZONE EPR_SERVICE_ADAPTER_SCOPE
export HL7_DUPLICATE_POLICY=replay
export ENVIRONMENT=PRODUCTION LOG_LEVEL=INFO LOG_FORMAT=json WEB_PROCESSES=2
export HS_ISSUER=http://platform.test/ EPR_SERVICE_ADAPTER_ISSUER=http://adapter.test/
export CUSTOMER_CODE=TEST TRUSTOMER_CONFIG_CACHE_TTL_SEC=1 MIRTH_USERNAME=dhos
export RABBITMQ_HOST="${RABBITMQ_HOST:-127.0.0.1}" RABBITMQ_PORT="${RABBITMQ_PORT:-5672}"
export RABBITMQ_USERNAME="${RABBITMQ_USERNAME:-guest}" RABBITMQ_PASSWORD="${RABBITMQ_PASSWORD:-guest}"
export PYTHONPATH="$here:$repository" PYTHONDONTWRITEBYTECODE=1

own_vhost=
INTEGRATION_STATE=$(mktemp -d)
export INTEGRATION_STATE
chmod 755 "$INTEGRATION_STATE"
behave=
code=1

clean_up() {
    if [ -n "$behave" ] && kill -0 -- "-$behave" 2>/dev/null; then
        echo "processes were left behind; they are killed now" >&2
        kill -KILL -- "-$behave"
        code=1
    fi
    [ -z "$own_vhost" ] || rabbitmqctl --quiet delete_vhost "$own_vhost" || true
    if [ "$code" = 0 ]; then
        rm -rf "$INTEGRATION_STATE"
    else
        echo "logs are in $INTEGRATION_STATE" >&2
    fi
    exit "$code"
}
trap clean_up EXIT

if [ -z "${RABBITMQ_VHOST:-}" ]; then
    command -v rabbitmqctl >/dev/null || fail "rabbitmqctl is missing: apt-get install rabbitmq-server"
    export RABBITMQ_VHOST="connector-integration-$$"
    own_vhost=$RABBITMQ_VHOST
    if ! rabbitmqctl --quiet add_vhost "$own_vhost"; then
        own_vhost=
        fail "rabbitmqctl reaches no RabbitMQ (as root: rabbitmq-server -detached), and RABBITMQ_VHOST names no ready virtual host"
    fi
    rabbitmqctl --quiet set_permissions --vhost "$RABBITMQ_VHOST" "$RABBITMQ_USERNAME" '.*' '.*' '.*'
fi

# behave and all it starts are one process group, so that nothing of it can stay behind.
cd "$here"
set -m
"$python" -m behave "$@" &
behave=$!
trap 'kill -TERM "$behave"' INT TERM
while kill -0 "$behave" 2>/dev/null; do
    wait "$behave" && code=0 || code=$?
done

"""What `all` tells a newcomer: the address, and outside PRODUCTION a token and a message to try."""

from dhos_connector_api.app import tokens
from dhos_connector_api.app.demo import FirstAdmin
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.http.settings import HttpSettings

#: An admission of an invented patient, as `printf` takes it.
_ADMISSION = (
    r"MSH|^~\\&|EPR|WARDS|TIE|DHOS|20260131093000||ADT^A01|DEMO0001|P|2.3\r"
    r"EVN|A01|20260131093000\r"
    r"PID|1||900001^^^RBH-MRN^MRN~9990000018^^^NHS^NHSNBR||OTTER^RIVER||19820305|F\r"
    r"PV1|1|INPATIENT|WARD7^BAY2^BED3||||||||||||||||V900001|||||||||||||||||||||||||20260131093000\r"
)


def greeting(settings: Settings, admin: FirstAdmin | None = None) -> str:
    """Return the text that is shown when everything has been started; `admin` has just been made."""
    http = settings.of(HttpSettings)
    url = http.local_url() if http.host in ("0.0.0.0", "::") else f"http://{http.host}:{http.port}"  # noqa: S104
    lines = ["", f"The Connector serves at {url}"]
    if not settings.of(ServiceSettings).is_production:
        to_rabbitmq = settings.of(BrokerSettings).is_used
        where = "RabbitMQ" if to_rabbitmq else "the outbox (RABBITMQ_HOST is not set)"
        lines += [
            f"Specification: {url}/docs     Metrics: {url}/metrics     Envelopes go to {where}",
            "",
            "Post an admission and see its acknowledgement:",
            "",
            f"  TOKEN={tokens.token(settings, seconds=86400)}",
            f"  printf '{_ADMISSION}' | curl -s {url}/dhos/v1/message \\",
            "    -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/hl7-v2' \\",
            "    --data-binary @- | tr '\\r' '\\n'",
            "",
            *_login(url, admin),
            "Ctrl-C stops everything.",
            "",
        ]
    return "\n".join(lines)


def _login(url: str, admin: FirstAdmin | None) -> list[str]:
    """How to log in as the admin of a first start."""
    if admin is None:
        return []
    body = f'{{"username": "{admin.username}", "password": "{admin.password}"}}'
    return [
        f"Log in as {admin.username}, password {admin.password} (shown this once):",
        "",
        f"  curl -s {url}/api/auth/token/ -H 'Content-Type: application/json' -d '{body}'",
        "",
    ]

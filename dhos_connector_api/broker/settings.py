"""Settings of the broker: which RabbitMQ, if any, envelopes are published to."""

from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api.broker.url import BrokerUrl, Hosts, ManagementUrl, amqp_url, hosts, management_url
from dhos_connector_api.config.setting import Given, Group, setting
from dhos_connector_api.config.values import boolean, integer

_PORT, _TLS_PORT = 5672, 5671
#: What an address says as well.
_IN_URL = ("HOST", "PORT", "VHOST", "USERNAME", "PASSWORD", "TLS")
_FOR_TLS = ("RABBITMQ_CA", "RABBITMQ_CERTIFICATE", "RABBITMQ_KEY", "RABBITMQ_SERVER_NAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(Group):
    """RabbitMQ."""

    url: BrokerUrl | None = setting(
        "RABBITMQ_URL", amqp_url,
        "All of it in one: `amqps://user:password@host1,host2/vhost`, `amqp://` without TLS",
        default=None, secret=True,
    )  # fmt: skip
    host: Hosts | None = setting(
        "RABBITMQ_HOST", hosts,
        "RabbitMQ server, or several with commas between, tried in turn; neither this nor RABBITMQ_URL:"
        " envelopes wait in the outbox",
        default=None,
    )  # fmt: skip
    port: int | None = setting(
        "RABBITMQ_PORT", integer(1, 65535), "Its port; unset: 5672, with TLS 5671", default=None
    )
    vhost: str = setting("RABBITMQ_VHOST", str, "Its virtual host", default="/")
    username: str = setting("RABBITMQ_USERNAME", str, "Its user", default="guest")
    password: str = setting("RABBITMQ_PASSWORD", str, "That user's password", default="guest", secret=True)
    tls: bool = setting("RABBITMQ_TLS", boolean, "Speak TLS with it", default=False)
    ca: Path | None = setting(
        "RABBITMQ_CA", Path, "File of the authorities its certificate may come from; unset: this machine's",
        default=None,
    )  # fmt: skip
    certificate: Path | None = setting(
        "RABBITMQ_CERTIFICATE", Path, "File with our certificate, where it asks for one", default=None
    )
    key: Path | None = setting("RABBITMQ_KEY", Path, "File with that certificate's key", default=None)
    server_name: str | None = setting(
        "RABBITMQ_SERVER_NAME", str, "Name in its certificate; unset: its host", default=None
    )
    management: ManagementUrl | None = setting(
        "RABBITMQ_MANAGEMENT_URL", management_url,
        "Its management API, `https://host:15671`, or with another user `https://user:password@host:15671`:"
        " what a full queue refused waits for room; unset: it is tried once a minute, and copied to others",
        default=None, secret=True,
    )  # fmt: skip
    disabled: bool = setting("RABBITMQ_DISABLED", boolean, "As if there were no RabbitMQ", default=False)

    @property
    def is_used(self) -> bool:
        return (self.host is not None or self.url is not None) and not self.disabled

    @property
    def uses_tls(self) -> bool:
        return self.url.tls if self.url is not None else self.tls

    @property
    def places(self) -> list[tuple[str, int]]:
        """Return host and port of each server, in the order in which they are tried."""
        usual = _TLS_PORT if self.uses_tls else _PORT
        if self.url is None:
            usual = self.port or usual
        found = self.url.hosts if self.url is not None else self.host or ()
        return [(host, port or usual) for host, port in found]

    @property
    def login(self) -> tuple[str, str, str]:
        """Return virtual host, user and password; what an address leaves out is the usual one."""
        if self.url is None:
            return self.vhost, self.username, self.password
        return self.url.vhost or "/", self.url.username or "guest", self.url.password or "guest"

    @property
    def management_login(self) -> tuple[str, str]:
        """Return user and password at the management API: the broker's, unless its address names others."""
        _, username, password = self.login
        if self.management is None or self.management.username is None:
            return username, password
        return self.management.username, self.management.password or ""

    @property
    def _asks_with_tls(self) -> bool:
        return self.management is not None and self.management.tls

    def check(self, given: Given) -> None:
        given.exclude("RABBITMQ_URL", *(f"RABBITMQ_{name}" for name in _IN_URL))
        given.need(("RABBITMQ_CERTIFICATE", "RABBITMQ_KEY"), ("RABBITMQ_KEY", "RABBITMQ_CERTIFICATE"))
        for name in _FOR_TLS:
            if given.environ.get(name) and not (self.uses_tls or self._asks_with_tls):
                given.problems.append(f"{name} needs RABBITMQ_TLS=true, or an address that begins with amqps")
        if self.management is not None and self.host is None and self.url is None:
            given.problems.append("RABBITMQ_MANAGEMENT_URL needs RABBITMQ_HOST or RABBITMQ_URL")
        if self.is_used and self.url is None:
            given.need_in_production("RABBITMQ_PASSWORD")
        elif self.is_used and given.in_production and self.url is not None and not self.url.password:
            given.problems.append("RABBITMQ_URL has no password")

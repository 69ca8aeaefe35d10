"""Settings of the HTTP door: where it listens, whose tokens it takes, what webhooks are signed with."""

from collections.abc import Mapping
from dataclasses import dataclass

from dhos_connector_api.config.setting import REQUIRED, Given, Group, Setting, newest_first, setting, together
from dhos_connector_api.config.values import Network, boolean, integer, networks, redis_address, seconds
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.site.model import WEBHOOK_SOURCES

#: Where metrics are in PRODUCTION, where METRICS_PORT says nothing else: anybody may read them.
METRICS_PORT = 9464


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings(Group):
    """HTTP."""

    host: str = setting(
        "SERVER_HOST",
        str,
        "Address the web processes listen on",
        default="0.0.0.0",  # noqa: S104
    )
    port: int = setting("SERVER_PORT", integer(1, 65535), "HTTP port", default=5000)
    processes: int = setting(
        "WEB_PROCESSES", integer(1, 64), "Web processes, one listening socket each", default=2
    )
    threads: int = setting(
        "WEB_THREADS",
        integer(1, 256),
        "Threads, and database connections (four more for API keys and persons, one for messages committed"
        " together), of a web process",
        default=8,
    )
    max_body_bytes: int = setting(
        "MAX_BODY_BYTES", integer(1024, 1 << 30), "Largest request body; a longer one gets 413",
        default=10_000_000,
    )  # fmt: skip
    body_budget: int = setting(
        "BODY_BUDGET_BYTES", integer(1024, 1 << 34),
        "All request bodies of a web process together, until they are answered; beyond, long ones get 503",
        default=64_000_000,
    )  # fmt: skip
    connections: int = setting(
        "HTTP_CONNECTIONS", integer(10, 1_000_000),
        "Connections of a web process; beyond, the one that is idle for longest is closed",
        default=2000,
    )  # fmt: skip
    connections_per_peer: int = setting(
        "HTTP_CONNECTIONS_PER_PEER", integer(1, 1_000_000),
        "Those of one address; a reverse proxy is one address for all its clients",
        default=1000,
    )  # fmt: skip
    header_timeout: int = setting(
        "HTTP_HEADER_TIMEOUT", seconds, "For a request's headers, from the first byte", default=10
    )
    body_timeout: int = setting(
        "HTTP_BODY_TIMEOUT", seconds, "For a request's body, from the end of its headers", default=60
    )
    keep_alive: int = setting(
        "HTTP_KEEP_ALIVE", seconds, "How long a connection may rest between two requests", default=75
    )
    docs_enabled: bool | None = setting(
        "DOCS_ENABLED", boolean, "Serve `/docs` and `/redoc`; unset: only in DEVELOPMENT", default=None
    )
    metrics_port: int | None = setting(
        "METRICS_PORT",
        integer(1, 65535),
        "Serve `/metrics` there, not on SERVER_PORT, with `/running` and `/ready`; unset: 9464 in PRODUCTION",
        default=None,
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "TRUSTED_PROXIES", networks,
        "Addresses and networks of reverse proxies, with commas between; only their X-Forwarded-For is read",
        default=(),
    )  # fmt: skip
    auth_requests: int = setting(
        "AUTH_REQUESTS_PER_MINUTE", integer(1, 100_000),
        "How often an address may ask for tokens, or to change a password, in a minute", default=10,
    )  # fmt: skip
    rate_limit_storage: str | None = setting(
        "RATE_LIMIT_STORAGE", redis_address,
        "Redis (`redis://host:6379/0`) that counts requests; unset: each web process counts its own",
        default=None, secret=True,
    )  # fmt: skip

    def serves_docs(self, *, in_production: bool) -> bool:
        """Return whether Swagger UI is served in such an installation."""
        return not in_production if self.docs_enabled is None else self.docs_enabled

    def own_metrics_port(self, *, in_production: bool) -> int | None:
        """Return the port that `/metrics` has to itself in such an installation; None: it has none."""
        return METRICS_PORT if self.metrics_port is None and in_production else self.metrics_port

    def local_url(self) -> str:
        """Return the address of this service as it is reached from this machine."""
        return f"http://127.0.0.1:{self.port}"


#: A key of one issuer must not be one of another's: it would say who signed.
_KEYS = (
    "HS_KEY",
    "HS_KEY_PREVIOUS",
    "EPR_SERVICE_ADAPTER_HS_KEY",
    "EPR_SERVICE_ADAPTER_HS_KEY_PREVIOUS",
)
#: Bytes of a secret in PRODUCTION. RFC 7518 section 3.2 asks for 64 with HS512, Standard Webhooks for 24.
_LEAST_KEY, _LEAST_WEBHOOK_SECRET = 32, 24
_KEYS_ROTATE = "Second key that is still taken while keys rotate"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the platform: its public address, where it has one, and the issuer of its tokens."""

    public_url: str | None
    issuer: str


def _names(proxy_url: str | None, issuer: str | None) -> Names:
    if issuer is None and proxy_url is None:
        raise BadSetting("HS_ISSUER is missing (or set PROXY_URL)")
    return Names(proxy_url, issuer if issuer is not None else str(proxy_url).rstrip("/") + "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings(Group):
    """Tokens.

    `keys` and `adapter_keys` are taken all, and the first signs; `lifetime` is in seconds.
    """

    names: Names = together(
        Setting("PROXY_URL", str, "Public address of the platform; makes HS_ISSUER, and links to pages"),
        Setting(
            "HS_ISSUER",
            str,
            "Issuer and audience of internal tokens; unset: PROXY_URL with one `/` at the end",
        ),
        combine=_names,
    )
    keys: tuple[str, ...] = together(
        Setting("HS_KEY", str, "Key of internal tokens (HS512)", REQUIRED, secret=True, least=_LEAST_KEY),
        Setting("HS_KEY_PREVIOUS", str, _KEYS_ROTATE, secret=True, least=_LEAST_KEY),
        combine=newest_first,
    )
    lifetime: int = setting(
        "JWT_EXPIRY_IN_SECONDS", integer(1, 86400), "Life of tokens we issue", default=600
    )
    adapter_issuer: str | None = setting(
        "EPR_SERVICE_ADAPTER_ISSUER", str, "Issuer of the EPR service adapter's tokens", default=None
    )
    adapter_keys: tuple[str, ...] = together(
        Setting(
            "EPR_SERVICE_ADAPTER_HS_KEY",
            str,
            "Key of the EPR service adapter's tokens (HS512)",
            secret=True,
            least=_LEAST_KEY,
        ),
        Setting("EPR_SERVICE_ADAPTER_HS_KEY_PREVIOUS", str, _KEYS_ROTATE, secret=True, least=_LEAST_KEY),
        combine=newest_first,
    )

    @property
    def issuer(self) -> str:
        """Return the issuer and audience of internal tokens."""
        return self.names.issuer

    def check(self, given: Given) -> None:
        given.need(
            ("EPR_SERVICE_ADAPTER_ISSUER", "EPR_SERVICE_ADAPTER_HS_KEY"),
            ("EPR_SERVICE_ADAPTER_HS_KEY", "EPR_SERVICE_ADAPTER_ISSUER"),
        )
        given.differ(_KEYS)


_WEBHOOK_SECRETS = tuple(
    Setting(
        f"{source.upper()}_WEBHOOK_SECRET{which}",
        str,
        text.format(source.upper()),
        secret=True,
        least=_LEAST_WEBHOOK_SECRET,
    )
    for source in WEBHOOK_SOURCES
    for which, text in (
        ("", "Signs webhooks of the {}"),
        ("_PREVIOUS", "Second secret that is still taken while it rotates"),
    )
)


def _by_source(*secrets: str | None) -> dict[str, tuple[str, ...]]:
    return {
        source: newest_first(*secrets[2 * number : 2 * number + 2])
        for number, source in enumerate(WEBHOOK_SOURCES)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(Group):
    """Webhooks.

    `secrets` are those of each source, the newest first; none: its webhooks are not set up.
    """

    secrets: Mapping[str, tuple[str, ...]] = together(*_WEBHOOK_SECRETS, combine=_by_source)

    def check(self, given: Given) -> None:
        names = [each.name for each in _WEBHOOK_SECRETS]
        given.need(*((name, name.removesuffix("_PREVIOUS")) for name in names if name.endswith("_PREVIOUS")))
        given.differ(names)

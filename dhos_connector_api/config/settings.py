"""The settings: read once from the environment, typed, in one place.

A missing or bad setting stops the start with one line that names it (`errors.BadSetting`). In
PRODUCTION nothing secret has a default. The README's table is generated from `describe()`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dhos_connector_api.config.values import (
    boolean,
    choice,
    integer,
    mllp_url,
    redis_address,
    seconds,
    url,
    zone,
)
from dhos_connector_api.errors import BadSetting

_MISSING: Any = object()
#: A key of one issuer must not be one of another's: it would say who signed.
_KEYS = (
    "HS_KEY",
    "HS_KEY_PREVIOUS",
    "EPR_SERVICE_ADAPTER_HS_KEY",
    "EPR_SERVICE_ADAPTER_HS_KEY_PREVIOUS",
)
_WEBHOOK_SECRETS = tuple(
    f"{source}_WEBHOOK_SECRET{which}" for source in ("HIS", "LIS", "EMR") for which in ("", "_PREVIOUS")
)
#: Bytes of a signing key in PRODUCTION; RFC 7518 section 3.2 asks for 64 with HS512.
_SHORTEST_KEY = 32
#: Standard Webhooks asks for 24 to 64 bytes.
_SHORTEST_WEBHOOK_SECRET = 24


def _setting(
    name: str,
    parse: Callable[[str], Any],
    text: str,
    *,
    default: Any = _MISSING,
    secret: bool = False,
) -> Any:
    """One setting: its environment variable, how it is read, what it is for."""
    metadata = {"name": name, "parse": parse, "text": text, "default": default, "secret": secret}
    return field(metadata=metadata)


_ROTATES = "Second secret that is still taken while it rotates"


def _webhook_secret(name: str, text: str) -> Any:
    return _setting(name, str, text, default=None, secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set from outside. Durations are in seconds."""

    environment: str = _setting(
        "ENVIRONMENT", choice("PRODUCTION", "DEVELOPMENT"),
        "DEVELOPMENT allows the embedded database and shows `/docs`", default="PRODUCTION",
    )  # fmt: skip
    server_host: str = _setting(
        "SERVER_HOST",
        str,
        "Address the web processes listen on",
        default="0.0.0.0",  # noqa: S104
    )
    server_port: int = _setting("SERVER_PORT", integer(1, 65535), "HTTP port", default=5000)
    server_timezone: ZoneInfo = _setting(
        "SERVER_TIMEZONE", zone, "Zone of HL7 times that carry no offset", default=ZoneInfo("UTC")
    )
    web_processes: int = _setting(
        "WEB_PROCESSES", integer(1, 64), "Web processes, one listening socket each", default=2
    )
    web_threads: int = _setting(
        "WEB_THREADS",
        integer(1, 256),
        "Threads, and database connections (two more for API keys), of a web process",
        default=8,
    )
    max_body_bytes: int = _setting(
        "MAX_BODY_BYTES", integer(1024, 1 << 30), "Largest request body; a longer one gets 413",
        default=10_000_000,
    )  # fmt: skip
    docs_enabled: bool | None = _setting(
        "DOCS_ENABLED", boolean, "Serve Swagger UI at `/docs`; unset: only in DEVELOPMENT", default=None
    )
    metrics_port: int | None = _setting(
        "METRICS_PORT", integer(1, 65535), "Serve `/metrics` there and not on SERVER_PORT", default=None
    )
    mllp_listeners: Path | None = _setting(
        "MLLP_LISTENERS",
        Path,
        "TOML file with the MLLP listeners; `all` listens when it is set",
        default=None,
    )
    mllp_processes: int = _setting(
        "MLLP_PROCESSES", integer(1, 64), "MLLP processes; senders are spread over them", default=2
    )
    mllp_metrics_port: int | None = _setting(
        "MLLP_METRICS_PORT", integer(1, 65535), "Serve the metrics of the MLLP processes there", default=None
    )
    relay_metrics_port: int | None = _setting(
        "RELAY_METRICS_PORT", integer(1, 65535), "Serve the relay's own metrics there", default=None
    )
    deliver_metrics_port: int | None = _setting(
        "DELIVER_METRICS_PORT",
        integer(1, 65535),
        "Serve the delivery process's own metrics there",
        default=None,
    )
    log_level: str = _setting(
        "LOG_LEVEL", choice("ERROR", "WARN", "INFO", "DEBUG"), "Least level that is logged", default="INFO"
    )
    log_format: str = _setting(
        "LOG_FORMAT", choice("colour", "plain", "json"), "How a log line looks", default="json"
    )
    build_number: str = _setting("BUILD_NUMBER", str, "Shown by `/version` as `circle`", default="unknown")
    git_hash: str = _setting("GIT_HASH", str, "Shown by `/version` as `hash`", default="unknown")
    local_state: Path = _setting(
        "LOCAL_STATE",
        Path,
        "Folder of the embedded database and of development keys",
        default=Path(".local"),
    )

    database_host: str | None = _setting(
        "DATABASE_HOST", str,
        "PostgreSQL server; unset: the embedded one (not in PRODUCTION)", default=None,
    )  # fmt: skip
    database_port: int = _setting("DATABASE_PORT", integer(1, 65535), "Its port", default=5432)
    database_name: str = _setting("DATABASE_NAME", str, "Its database", default="dhos-connector-api")
    database_user: str = _setting("DATABASE_USER", str, "Its user", default="dhos-connector-api")
    database_password: str | None = _setting(
        "DATABASE_PASSWORD", str, "That user's password", default=None, secret=True
    )

    rabbitmq_host: str | None = _setting(
        "RABBITMQ_HOST",
        str,
        "RabbitMQ server; unset: envelopes wait in the outbox",
        default=None,
    )
    rabbitmq_port: int = _setting("RABBITMQ_PORT", integer(1, 65535), "Its port", default=5672)
    rabbitmq_vhost: str = _setting("RABBITMQ_VHOST", str, "Its virtual host", default="/")
    rabbitmq_username: str = _setting("RABBITMQ_USERNAME", str, "Its user", default="guest")
    rabbitmq_password: str = _setting(
        "RABBITMQ_PASSWORD", str, "That user's password", default="guest", secret=True
    )
    rabbitmq_disabled: bool = _setting(
        "RABBITMQ_DISABLED", boolean, "As if RABBITMQ_HOST were unset", default=False
    )

    proxy_url: str | None = _setting(
        "PROXY_URL", str, "Public address of the platform; makes HS_ISSUER", default=None
    )
    hs_issuer: str = _setting(
        "HS_ISSUER", str,
        "Issuer and audience of internal tokens; unset: PROXY_URL with one `/` at the end", default=None,
    )  # fmt: skip
    hs_key: str = _setting("HS_KEY", str, "Key of internal tokens (HS512)", secret=True)
    hs_key_previous: str | None = _setting(
        "HS_KEY_PREVIOUS",
        str,
        "Second key that is still taken while keys rotate",
        default=None,
        secret=True,
    )
    jwt_expiry_in_seconds: int = _setting(
        "JWT_EXPIRY_IN_SECONDS", integer(1, 86400), "Life of tokens we issue", default=600
    )
    epr_service_adapter_url_base: str | None = _setting(
        "EPR_SERVICE_ADAPTER_URL_BASE", url, "EPR service adapter that takes our ORU messages", default=None
    )
    epr_service_adapter_issuer: str | None = _setting(
        "EPR_SERVICE_ADAPTER_ISSUER", str, "Issuer of the EPR service adapter's tokens", default=None
    )
    epr_service_adapter_hs_key: str | None = _setting(
        "EPR_SERVICE_ADAPTER_HS_KEY", str, "Key of the EPR service adapter's tokens (HS512)",
        default=None, secret=True,
    )  # fmt: skip
    epr_service_adapter_hs_key_previous: str | None = _setting(
        "EPR_SERVICE_ADAPTER_HS_KEY_PREVIOUS", str, "Second key that is still taken while keys rotate",
        default=None, secret=True,
    )  # fmt: skip
    epr_service_adapter_scope: str = _setting(
        "EPR_SERVICE_ADAPTER_SCOPE",
        str,
        "Scopes of tokens we send to the adapter",
        default="write:hl7_message",
    )
    epr_mllp_url: str | None = _setting(
        "EPR_MLLP_URL",
        mllp_url,
        "MLLP receiver of ORU messages and acknowledgements: `mllp://host:port`, `mllps://` with TLS",
        default=None,
    )
    epr_mllp_ca: Path | None = _setting(
        "EPR_MLLP_CA", Path, "File of the authorities its certificate may come from; unset: this machine's",
        default=None,
    )  # fmt: skip
    epr_mllp_certificate: Path | None = _setting(
        "EPR_MLLP_CERTIFICATE", Path, "File with our certificate, where it asks for one", default=None
    )
    epr_mllp_key: Path | None = _setting(
        "EPR_MLLP_KEY", Path, "File with that certificate's key", default=None
    )
    mirth_host_url_base: str | None = _setting(
        "MIRTH_HOST_URL_BASE", url, "Mirth server that takes CDA documents; unset: 501", default=None
    )
    mirth_username: str | None = _setting("MIRTH_USERNAME", str, "Its user", default=None)
    mirth_password: str | None = _setting(
        "MIRTH_PASSWORD", str, "That user's password", default=None, secret=True
    )

    site_config: Path | None = _setting(
        "SITE_CONFIG", Path, "TOML or JSON file with this hospital's configuration", default=None
    )
    dhos_trustomer_api_host: str | None = _setting(
        "DHOS_TRUSTOMER_API_HOST", str, "Trustomer service to fetch that configuration from", default=None
    )
    customer_code: str | None = _setting(
        "CUSTOMER_CODE", str, "This hospital's code at the trustomer service", default=None
    )
    polaris_api_key: str | None = _setting(
        "POLARIS_API_KEY", str, "Key for the trustomer service", default=None, secret=True
    )
    trustomer_config_cache_ttl_sec: int = _setting(
        "TRUSTOMER_CONFIG_CACHE_TTL_SEC", seconds, "How long a fetched configuration is fresh", default=3600
    )
    hl7_transformer_module: str | None = _setting(
        "HL7_TRANSFORMER_MODULE", str,
        "Python module with `transform_incoming(text)` and `transform_outgoing(text)`", default=None,
    )  # fmt: skip
    hl7_duplicate_policy: str = _setting(
        "HL7_DUPLICATE_POLICY", choice("replay", "reject"),
        "Answer a repeat with the first ACK (replay) or with AR (reject)", default="replay",
    )  # fmt: skip
    hl7_duplicate_window: int = _setting(
        "HL7_DUPLICATE_WINDOW", seconds, "How long a control id belongs to one message", default=7 * 86400
    )
    outbox_retention: int = _setting(
        "OUTBOX_RETENTION", seconds, "How long published envelopes are kept", default=7 * 86400
    )
    unprocessed_after: int = _setting(
        "UNPROCESSED_AFTER", seconds, "When an accepted, unprocessed message counts as late", default=900
    )

    rate_limit_storage: str | None = _setting(
        "RATE_LIMIT_STORAGE", redis_address,
        "Redis (`redis://host:6379/0`) that counts requests; unset: each web process counts its own",
        default=None, secret=True,
    )  # fmt: skip
    his_webhook_secret: str | None = _webhook_secret("HIS_WEBHOOK_SECRET", "Signs webhooks of the HIS")
    his_webhook_secret_previous: str | None = _webhook_secret("HIS_WEBHOOK_SECRET_PREVIOUS", _ROTATES)
    lis_webhook_secret: str | None = _webhook_secret("LIS_WEBHOOK_SECRET", "Signs webhooks of the LIS")
    lis_webhook_secret_previous: str | None = _webhook_secret("LIS_WEBHOOK_SECRET_PREVIOUS", _ROTATES)
    emr_webhook_secret: str | None = _webhook_secret("EMR_WEBHOOK_SECRET", "Signs webhooks of the EMR")
    emr_webhook_secret_previous: str | None = _webhook_secret("EMR_WEBHOOK_SECRET_PREVIOUS", _ROTATES)

    def webhook_secrets(self, source: str) -> tuple[str, ...]:
        """The secrets of `his`, `lis` or `emr`, the newest first; empty: its webhooks are not set up."""
        known = {
            "his": (self.his_webhook_secret, self.his_webhook_secret_previous),
            "lis": (self.lis_webhook_secret, self.lis_webhook_secret_previous),
            "emr": (self.emr_webhook_secret, self.emr_webhook_secret_previous),
        }
        return tuple(secret for secret in known.get(source, ()) if secret)

    @property
    def is_production(self) -> bool:
        return self.environment == "PRODUCTION"

    @property
    def serves_docs(self) -> bool:
        return not self.is_production if self.docs_enabled is None else self.docs_enabled

    @property
    def uses_rabbitmq(self) -> bool:
        return self.rabbitmq_host is not None and not self.rabbitmq_disabled


@dataclass(frozen=True, slots=True)
class SettingText:
    """One line of the configuration table. `default` is None where the setting has none."""

    name: str
    text: str
    default: str | None
    required: bool
    secret: bool


def describe() -> Iterator[SettingText]:
    """Every setting in the order of `Settings`, for the README's table and its test."""
    for each in fields(Settings):
        default = each.metadata["default"]
        yield SettingText(
            name=each.metadata["name"],
            text=each.metadata["text"],
            default=None if default is _MISSING or default is None else str(default),
            required=default is _MISSING,
            secret=each.metadata["secret"],
        )


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from `environ`; an empty value counts as unset.

    Raises BadSetting, in one line that names the setting and never shows its value.
    """
    values: dict[str, Any] = {}
    for each in fields(Settings):
        name, raw = each.metadata["name"], environ.get(each.metadata["name"], "")
        if raw:
            try:
                values[each.name] = each.metadata["parse"](raw)
            except ValueError as error:
                raise BadSetting(f"{name} {error}") from None
        elif each.metadata["default"] is _MISSING:
            raise BadSetting(f"{name} is missing")
        else:
            values[each.name] = each.metadata["default"]
    if values["hs_issuer"] is None:
        if values["proxy_url"] is None:
            raise BadSetting("HS_ISSUER is missing (or set PROXY_URL)")
        values["hs_issuer"] = values["proxy_url"].rstrip("/") + "/"
    settings = Settings(**values)
    _check(settings, environ)
    return settings


def from_environment() -> Settings:
    """The settings of this process. Raises BadSetting."""
    return load(os.environ)


def metrics_folder() -> Path | None:
    """Where the processes of one run share their metrics: the supervisor says so."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process we start: ours, and `extra`."""
    return {**os.environ, **extra}


#: With the first of a pair the second is needed.
_NEEDED = (
    ("EPR_SERVICE_ADAPTER_ISSUER", "EPR_SERVICE_ADAPTER_HS_KEY"),
    ("EPR_SERVICE_ADAPTER_HS_KEY", "EPR_SERVICE_ADAPTER_ISSUER"),
    ("EPR_SERVICE_ADAPTER_URL_BASE", "EPR_SERVICE_ADAPTER_ISSUER"),
    ("EPR_MLLP_CA", "EPR_MLLP_URL"),
    ("EPR_MLLP_CERTIFICATE", "EPR_MLLP_URL"),
    ("EPR_MLLP_CERTIFICATE", "EPR_MLLP_KEY"),
    ("EPR_MLLP_KEY", "EPR_MLLP_CERTIFICATE"),
    ("MIRTH_HOST_URL_BASE", "MIRTH_USERNAME"),
    ("MIRTH_USERNAME", "MIRTH_PASSWORD"),
    ("DHOS_TRUSTOMER_API_HOST", "CUSTOMER_CODE"),
    *((name, name.removesuffix("_PREVIOUS")) for name in _WEBHOOK_SECRETS if name.endswith("_PREVIOUS")),
    ("DHOS_TRUSTOMER_API_HOST", "POLARIS_API_KEY"),
)


def _check(settings: Settings, environ: Mapping[str, str]) -> None:
    """What no single setting can tell: combinations, and what PRODUCTION does not allow."""
    for name, needed in _NEEDED:
        if environ.get(name) and not environ.get(needed):
            raise BadSetting(f"{needed} is missing, and {name} needs it")
    for names in (_KEYS, _WEBHOOK_SECRETS):
        keys = [environ[name] for name in names if environ.get(name)]
        if len(set(keys)) != len(keys):
            raise BadSetting(f"{', '.join(names)}: two of them are the same")
    plain = (settings.epr_mllp_url or "mllps:").startswith("mllp:")
    if plain and (settings.epr_mllp_ca or settings.epr_mllp_certificate):
        raise BadSetting("EPR_MLLP_URL must begin with mllps:// where a CA or a certificate is set")
    if settings.site_config and settings.dhos_trustomer_api_host:
        raise BadSetting("SITE_CONFIG and DHOS_TRUSTOMER_API_HOST are both set; use one")
    if settings.is_production:
        _check_production(settings, environ)


def _check_production(settings: Settings, environ: Mapping[str, str]) -> None:
    if settings.database_host is None:
        raise BadSetting("DATABASE_HOST is missing (only DEVELOPMENT has an embedded database)")
    if not environ.get("DATABASE_PASSWORD"):
        raise BadSetting("DATABASE_PASSWORD is missing")
    if settings.uses_rabbitmq and not environ.get("RABBITMQ_PASSWORD"):
        raise BadSetting("RABBITMQ_PASSWORD is missing")
    for name in _KEYS:
        if environ.get(name) and len(environ[name].encode()) < _SHORTEST_KEY:
            raise BadSetting(f"{name} is too short: use 64 bytes, at least 32")
    for name in _WEBHOOK_SECRETS:
        if environ.get(name) and len(environ[name].encode()) < _SHORTEST_WEBHOOK_SECRET:
            raise BadSetting(f"{name} is too short: use 32 bytes, at least 24")

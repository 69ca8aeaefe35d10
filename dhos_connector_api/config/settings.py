"""Settings that belong to no room: what kind of installation this is, and what it logs."""

from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import choice, integer

#: Seconds that doors stay open in PRODUCTION: Kubernetes needs some to tell everybody that a pod goes.
SHUTDOWN_DELAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings(Group):
    """The installation."""

    environment: str = setting(
        "ENVIRONMENT", choice("PRODUCTION", "DEVELOPMENT"),
        "DEVELOPMENT allows the embedded database and shows `/docs`", default="PRODUCTION",
    )  # fmt: skip
    log_level: str = setting(
        "LOG_LEVEL", choice("ERROR", "WARN", "INFO", "DEBUG"), "Least level that is logged", default="INFO"
    )
    log_format: str = setting(
        "LOG_FORMAT", choice("colour", "plain", "json"), "How a log line looks", default="json"
    )
    build_number: str = setting("BUILD_NUMBER", str, "Shown by `/version` as `circle`", default="unknown")
    git_hash: str = setting("GIT_HASH", str, "Shown by `/version` as `hash`", default="unknown")
    local_state: Path = setting(
        "LOCAL_STATE",
        Path,
        "Folder of the embedded database and of development keys",
        default=Path(".local"),
    )

    shutdown_delay: int | None = setting(
        "SHUTDOWN_DELAY",
        integer(0, 300),
        "Seconds that doors stay open after SIGTERM, while `/ready` says 503; unset: 5 in PRODUCTION, else 0",
        default=None,
    )

    @property
    def stays_open(self) -> int:
        """Return the seconds that doors stay open after SIGTERM."""
        if self.shutdown_delay is None:
            return SHUTDOWN_DELAY if self.is_production else 0
        return self.shutdown_delay

    @property
    def is_production(self) -> bool:
        return self.environment == "PRODUCTION"

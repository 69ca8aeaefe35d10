"""Settings that belong to no room: what kind of installation this is, and what it logs."""

from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import choice


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

    @property
    def is_production(self) -> bool:
        return self.environment == "PRODUCTION"

"""Settings of the MLLP door: its file of listeners, and its processes."""

from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import integer


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpSettings(Group):
    """MLLP."""

    listeners: Path | None = setting(
        "MLLP_LISTENERS",
        Path,
        "TOML file with the MLLP listeners; `all` listens when it is set",
        default=None,
    )
    processes: int = setting(
        "MLLP_PROCESSES", integer(1, 64), "MLLP processes; senders are spread over them", default=2
    )
    metrics_port: int | None = setting(
        "MLLP_METRICS_PORT",
        integer(1, 65535),
        "Serve the metrics of the MLLP processes, `/running` and `/ready` there",
        default=None,
    )

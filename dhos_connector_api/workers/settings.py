"""Settings of the processes beside the doors."""

from dataclasses import dataclass

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import integer


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(Group):
    """Relay and deliveries."""

    relay_metrics_port: int | None = setting(
        "RELAY_METRICS_PORT", integer(1, 65535), "Serve the relay's own metrics there", default=None
    )
    deliver_metrics_port: int | None = setting(
        "DELIVER_METRICS_PORT",
        integer(1, 65535),
        "Serve the delivery process's own metrics there",
        default=None,
    )

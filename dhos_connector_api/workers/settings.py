"""Settings of the processes beside the doors."""

from dataclasses import dataclass

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import integer


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(Group):
    """Relay, deliveries and consumers."""

    relay_metrics_port: int | None = setting(
        "RELAY_METRICS_PORT",
        integer(1, 65535),
        "Serve the relay's own metrics, `/running` and `/ready` there",
        default=None,
    )
    deliver_metrics_port: int | None = setting(
        "DELIVER_METRICS_PORT",
        integer(1, 65535),
        "Serve the delivery process's own metrics, `/running` and `/ready` there",
        default=None,
    )
    consume_processes: int = setting(
        "CONSUME_PROCESSES",
        integer(0, 64),
        "Processes of `all` that apply envelopes to patients; without RabbitMQ the relay does it itself,"
        " and with 0 nobody: envelopes wait then",
        default=1,
    )
    consume_metrics_port: int | None = setting(
        "CONSUME_METRICS_PORT",
        integer(1, 65535),
        "Serve the consuming process's own metrics, `/running` and `/ready` there",
        default=None,
    )

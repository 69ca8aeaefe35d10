"""Settings of the broker: which RabbitMQ, if any, envelopes are published to."""

from dataclasses import dataclass

from dhos_connector_api.config.setting import Given, Group, setting
from dhos_connector_api.config.values import boolean, integer


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(Group):
    """RabbitMQ."""

    host: str | None = setting(
        "RABBITMQ_HOST",
        str,
        "RabbitMQ server; unset: envelopes wait in the outbox",
        default=None,
    )
    port: int = setting("RABBITMQ_PORT", integer(1, 65535), "Its port", default=5672)
    vhost: str = setting("RABBITMQ_VHOST", str, "Its virtual host", default="/")
    username: str = setting("RABBITMQ_USERNAME", str, "Its user", default="guest")
    password: str = setting("RABBITMQ_PASSWORD", str, "That user's password", default="guest", secret=True)
    disabled: bool = setting("RABBITMQ_DISABLED", boolean, "As if RABBITMQ_HOST were unset", default=False)

    @property
    def is_used(self) -> bool:
        return self.host is not None and not self.disabled

    def check(self, given: Given) -> None:
        if self.is_used:
            given.need_in_production("RABBITMQ_PASSWORD")

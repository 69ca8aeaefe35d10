"""Settings of the intake: how HL7 that comes in is read, and when it is a repeat."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import choice, seconds, zone


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings(Group):
    """HL7."""

    time_zone: ZoneInfo = setting(
        "SERVER_TIMEZONE", zone, "Zone of HL7 times that carry no offset", default=ZoneInfo("UTC")
    )
    transformer_module: str | None = setting(
        "HL7_TRANSFORMER_MODULE", str,
        "Python module with `transform_incoming(text)` and `transform_outgoing(text)`", default=None,
    )  # fmt: skip
    duplicate_policy: str = setting(
        "HL7_DUPLICATE_POLICY", choice("replay", "reject"),
        "Answer a repeat with the first ACK (replay) or with AR (reject)", default="replay",
    )  # fmt: skip
    duplicate_window: int = setting(
        "HL7_DUPLICATE_WINDOW", seconds,
        "How long a control id belongs to one message, unless the site says", default=7 * 86400,
    )  # fmt: skip

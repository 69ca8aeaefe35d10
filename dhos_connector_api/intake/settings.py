"""Settings of the intake: how HL7 that comes in is read, and when it is a repeat."""

from contextlib import suppress
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dhos_connector_api.config.setting import Given, Group, setting
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

    def check(self, given: Given) -> None:
        """Note a problem where a message, and its control id with it, would be forgotten too soon."""
        kept = given.environ.get("MESSAGE_RETENTION")
        with suppress(ValueError):  # what is no duration is told where it is declared
            if kept and seconds(kept) < self.duplicate_window:
                given.problems.append(
                    "MESSAGE_RETENTION is shorter than HL7_DUPLICATE_WINDOW, which depends on it"
                )

"""Settings of the message store."""

from dataclasses import dataclass

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import choice, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings(Group):
    """Messages."""

    unprocessed_after: int = setting(
        "UNPROCESSED_AFTER", seconds, "When an accepted, unprocessed message counts as late", default=900
    )
    unprocessed_counts: str = setting(
        "UNPROCESSED_COUNTS",
        choice("full", "all", "none"),
        "Of which messages a PATCH is expected, and waited for by retention: `full`: those that existing"
        " consumers apply; `all`; `none`",
        default="full",
    )

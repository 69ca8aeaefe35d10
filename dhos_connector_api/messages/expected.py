"""Of which messages it is expected that somebody says they are processed (UNPROCESSED_COUNTS)."""

from dhos_connector_api.actions.hl7.extract import LEGACY_TRIGGERS
from dhos_connector_api.config.load import Settings
from dhos_connector_api.messages.settings import MessageSettings

#: Events of messages, such as `ADT_A01`; None: of every message.
Expected = frozenset[str] | None

_BY_SETTING: dict[str, Expected] = {
    "full": frozenset(f"ADT_{trigger}" for trigger in LEGACY_TRIGGERS),
    "all": None,
    "none": frozenset(),
}


def expected(settings: Settings) -> Expected:
    """Return the events of those messages; None: of all."""
    return _BY_SETTING[settings.of(MessageSettings).unprocessed_counts]

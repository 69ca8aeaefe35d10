"""Doors by their names: how a message keeps the way it came in, and how it is read again (pure)."""

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """The kinds of doors."""

    MLLP = "mllp"
    TOKEN = "token"  # noqa: S105
    KEY = "key"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class DoorName:
    """A door by its name, which whoever sends cannot choose.

    `name` is that of the listener, of the token's issuer (`internal`, `epr_adapter`), or of the source whose
    API key or secret was used; `system` the `system_id` of a token. `str()` is how a message keeps it.
    """

    way: Way
    name: str
    system: str | None = None

    def __str__(self) -> str:
        return self.label if self.system is None else f"{self.label} {self.system}"

    @property
    def label(self) -> str:
        """Return it without the system: there are few of these."""
        return f"{self.way} {self.name}"


def door_named(text: str | None) -> DoorName | None:
    """Return the door that a message keeps; None where it keeps none."""
    if text is None:
        return None
    way, name, *system = text.split(" ", 2)
    return DoorName(Way(way), name, *system)

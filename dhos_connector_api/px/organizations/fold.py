"""Facts folded into what is known of a patient: of each group of columns the newest counts (pure).

To fold is to take the greater of two stamps, so neither order nor repetition matters.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

#: The columns of each group: one thing that is told, and replaced, as a whole.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "name": ("first_name", "last_name"),
    "gender": ("gender",),
    "birth": ("date_of_birth",),
    "national_id": ("national_id",),
    "phone": ("phone", "phone_e164"),
    "email": ("email",),
    "language": ("language",),
    "death": ("is_deceased",),
    "died_on": ("deceased_at",),
}
#: What stands for the event where a person says it: behind every UUID, so that it wins at the same moment.
_BY_A_PERSON = "person"


class Stamp(NamedTuple):
    """When it happened (text, in UTC), by which event, and how often that one's meaning had changed."""

    at: str
    event: str
    generation: int

    @classmethod
    def of(cls, at: datetime, event: str, generation: int = 0) -> "Stamp":
        """Return the stamp of an event; `at` is aware."""
        return cls(at.astimezone(UTC).isoformat(timespec="microseconds"), event, generation)


class Fact(NamedTuple):
    """What an event says of one group: a value for each of its columns."""

    group: str
    values: tuple[Any, ...]
    stamp: Stamp


@dataclass(slots=True)
class Known:
    """What is known of a patient: the columns, and the stamp of each group. `changed`: by the last folds."""

    columns: dict[str, Any] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    changed: bool = False


def fold(known: Known, facts: Iterable[Fact]) -> None:
    """Put into `known` each fact that is newer than what is known of its group."""
    for fact in facts:
        before = known.stamps.get(fact.group)
        if before is None or fact.stamp > before:
            known.stamps[fact.group] = fact.stamp
            known.columns.update(zip(GROUPS[fact.group], fact.values, strict=True))
            known.changed = True


def facts_of(known: Known) -> list[Fact]:
    """Return what is known as facts: for the one that the patient's number was changed to."""
    return [
        Fact(group, tuple(known.columns.get(column) for column in GROUPS[group]), stamp)
        for group, stamp in known.stamps.items()
        if group in GROUPS
    ]


def stamped(columns: Iterable[str], at: datetime) -> dict[str, list[Any]]:
    """Return what `facts_at` gets where a person says what stands in these columns: then it is the newest."""
    given = set(columns)
    stamp = list(Stamp.of(at, _BY_A_PERSON))
    return {group: stamp for group, own in GROUPS.items() if given & set(own)}

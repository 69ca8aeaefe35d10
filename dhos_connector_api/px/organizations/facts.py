"""What an envelope says of a patient: who he is, in groups of facts, and whom he replaces (pure).

What is null or left out was not told, and takes nothing back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from dhos_connector_api.px.organizations import contact_values
from dhos_connector_api.px.organizations.fold import Fact, Stamp
from dhos_connector_api.px.organizations.identity import (
    NATION,
    NATIONAL_ID,
    SHARED,
    Identifier,
    Who,
    folded,
)
from dhos_connector_api.px.organizations.merges import Kind, Merge

#: Events that make one patient of two; the one that changes a number. Others that carry `previous` move
#: accounts and visits.
KINDS = {
    **dict.fromkeys((f"ADT_A{number}" for number in (18, 30, 34, 36, 39, 40)), Kind.MERGE),
    "ADT_A47": Kind.RENAME,
}
#: SNOMED CT of `process_patient`; unknown says nothing.
_GENDERS = {"248153007": "male", "248152002": "female", "32570681000036106": "other"}
#: Of an event that does not say when it happened: older than anything.
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

Actions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Told:
    """What one envelope says. `phone` needs the hospital's region before it is a fact."""

    source: str
    who: Who
    identifiers: list[Identifier]
    facts: list[Fact]
    phone: str | None
    stamp: Stamp
    prior: Who | None
    merge: Merge | None

    def all_facts(self, region: str | None) -> list[Fact]:
        """Return every fact; `region` is whose telephone numbers are meant (`contact_values`)."""
        if self.phone is None:
            return self.facts
        number = contact_values.phone_e164(self.phone, region)
        return [*self.facts, Fact("phone", (self.phone, number), self.stamp)]


def told_by(actions: Actions, received: datetime | None) -> Told | None:
    """Return what an envelope says of its patient; None: nothing, or it names nobody.

    In: the data of its actions by name, and when its message came, where that is known: nothing has happened
    later. Raises ValueError, TypeError or KeyError for what fits no schema of ours.
    """
    event = actions.get("process_event")
    if event is None:
        return None
    who = _who(event, event["patient"])
    if who is None:
        return None
    patient, contact = actions.get("process_patient", {}), event["contact"]
    at = _happened(event["occurred_at"], received)
    stamp = Stamp.of(at, str(UUID(event["event_uuid"])), event.get("generation", 0))
    facts = [Fact(group, values, stamp) for group, values in _groups(patient, event)]
    phone = contact["phone"] or patient.get("phone")
    kind = KINDS.get(event["event_code"])
    prior = _who(event, event["previous"]) if kind else None
    if prior is not None and prior.id == who.id:
        prior = None
    if not (facts or phone or prior or patient):
        return None
    merge = Merge(at, UUID(event["event_uuid"]), prior.id, who.id, kind) if prior and kind else None
    national = patient.get("national_id")
    identifiers = who.identifiers + ([Identifier(NATION, NATIONAL_ID, national)] if national else [])
    return Told(event["source_system"], who, identifiers, facts, phone, stamp, prior, merge)


def _who(event: Mapping[str, Any], numbers: Mapping[str, str | None]) -> Who | None:
    if not (numbers["mrn"] or numbers["nhs_number"]):
        return None
    return Who(SHARED, folded(event["facility"]), numbers["mrn"], numbers["nhs_number"])


def _happened(occurred_at: str | None, received: datetime | None) -> datetime:
    """When it happened; a sender whose clock is ahead has no more to say than others."""
    at = datetime.fromisoformat(occurred_at) if occurred_at else _EVER
    return at if received is None else min(at, received)


def _groups(patient: Mapping[str, Any], event: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each group that something is told of, with its values."""
    contact = event["contact"]
    if patient.get("first_name") or patient.get("last_name"):
        yield "name", (patient.get("first_name"), patient.get("last_name"))
    if gender := _GENDERS.get(patient.get("sex_sct", "")):
        yield "gender", (gender,)
    if born := patient.get("date_of_birth") or event.get("date_of_birth"):
        yield "birth", (date.fromisoformat(born),)
    if national := patient.get("national_id"):
        yield "national_id", (national,)
    if contact["email"]:
        yield "email", (contact_values.email(contact["email"]),)
    if contact["language"]:
        yield "language", (contact_values.language(contact["language"]),)
    yield from _death(patient.get("date_of_death"), event["deceased"])


def _death(died_on: str | None, is_deceased: bool | None) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """A death, or that there was none; one without its day leaves the day that is known."""
    if died_on:
        yield "died_on", (datetime.combine(date.fromisoformat(died_on), time(), UTC),)
    elif is_deceased is False:
        yield "died_on", (None,)
    if died_on or is_deceased is not None:
        yield "death", (bool(died_on or is_deceased),)

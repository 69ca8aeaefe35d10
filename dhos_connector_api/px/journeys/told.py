"""What an envelope tells of an encounter (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.evidence import CLOCK, OURS, PERSON, Evidence, Previous
from dhos_connector_api.px.organizations.identity import SHARED, Who
from dhos_connector_api.px.organizations.identity import folded as folded_facility

#: Clocks and time zones may be wrong by so much; what is said to happen later happened when it was told.
_AHEAD = timedelta(days=1)

Actions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the site says of its sources: see `site.model.Journeys`."""

    encounter_types: Mapping[str, str] = field(default_factory=dict)
    source_types: Mapping[str, str] = field(default_factory=dict)
    namespaces: Mapping[str, str] = field(default_factory=dict)

    def namespace(self, source: str) -> str:
        """Return whose numbers a source (lower case) uses for encounters."""
        return self.namespaces.get(source, SHARED)

    def type_of(self, encounter_type: str | None) -> str | None:
        """Return the type of journey that an event tells; None: none."""
        return self.encounter_types.get((encounter_type or "").strip().upper())


def told_by(actions: Actions, message_uuid: UUID, received: datetime, rules: Rules) -> Evidence | None:
    """Return what an envelope tells; None: it is no event.

    In: the data of its actions by name, the message it came from, and when that came. Raises ValueError,
    TypeError or KeyError for what fits no schema of ours.
    """
    event = actions.get("process_event")
    if event is None:
        return None
    source = _source(event["source_system"])
    facility = folded_facility(event["facility"])
    return Evidence(
        event_uuid=UUID(event["event_uuid"]),
        generation=event.get("generation", 0),
        occurred_at=_time(event["occurred_at"], received) or received,
        received_at=received,
        message_uuid=message_uuid,
        source=source,
        code=_code(event["event_code"]),
        source_code=event.get("source_code"),
        namespace=rules.namespace(source),
        facility=facility,
        encounter_id=_encounter(event),
        patient_id=_patient(facility, event["patient"]),
        mrn=event["patient"]["mrn"],
        journey_type=rules.type_of(event["encounter_type"]),
        default_type=rules.source_types.get(source),
        department=event["location"]["epr_ward_code"] or event.get("department_code"),
        physician=event["physician"]["id"],
        discharged_at=_time(event["discharged_at"], received),
        deceased=event["deceased"],
        previous=_previous(facility, event),
    )


def _code(code: str) -> str:
    """The code as it was sent; one of ours, which no feed may use, is marked as the feed's."""
    return f"{code} (feed)" if codes.folded(code) in OURS else code


def _source(name: str) -> str:
    """The source's name as it is compared; none can call itself what people and the clock are called."""
    source = name.strip().lower()
    return f"{source} (feed)" if source in (PERSON, CLOCK) else source


def _time(text: str | None, received: datetime) -> datetime | None:
    if not text:
        return None
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return received if at > received + _AHEAD else at.astimezone(UTC)


def _patient(facility: str, numbers: Mapping[str, str | None]) -> UUID | None:
    if not (numbers["mrn"] or numbers["nhs_number"]):
        return None
    return Who(SHARED, facility, numbers["mrn"], numbers["nhs_number"]).id


def _encounter(event: Mapping[str, Any]) -> str | None:
    """The encounter it speaks of: a move that names only the one before moves that one."""
    return (event["encounter_id"] or "").strip() or _encounter_before(event)


def _encounter_before(event: Mapping[str, Any]) -> str | None:
    before, code = event.get("previous") or {}, codes.folded(event["event_code"])
    told = before.get("encounter_id") if code in codes.RENAMING | codes.MOVING else None
    return (told or "").strip() or None


def _previous(facility: str, event: Mapping[str, Any]) -> Previous | None:
    """The numbers before; only the events that give up, move or rename something have any."""
    before = event.get("previous")
    if not before:
        return None
    code, encounter_id = codes.folded(event["event_code"]), _encounter_before(event)
    patient = _patient(facility, before) if code in codes.MOVING | codes.MERGING else None
    is_renamed = encounter_id != _encounter(event)
    return Previous(before["mrn"], before["nhs_number"], encounter_id if is_renamed else None, patient)

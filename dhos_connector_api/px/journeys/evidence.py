"""What is known of an encounter: one piece of evidence for each thing that was told or done (pure)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID, uuid5

#: Of this project's own: names of journeys made of what identifies them.
_JOURNEYS = UUID("c2a1f5d8-3b7e-5e64-8d0f-7a94b1c6e350")

#: Who says so, where it is no source of the feeds: a person, or the time that has gone by.
PERSON, CLOCK = "person", "clock"
#: What people do. They name a stage (`Evidence.stage_id`) where one is meant.
JOURNEY_OPENED, JOURNEY_CLOSED = "JOURNEY_OPENED", "JOURNEY_CLOSED"
JOURNEY_CANCELLED = "JOURNEY_CANCELLED"
STAGE_COMPLETED, STAGE_SKIPPED, STAGE_REOPENED = "STAGE_COMPLETED", "STAGE_SKIPPED", "STAGE_REOPENED"
#: Nothing was told of it any more.
JOURNEY_SILENT = "JOURNEY_SILENT"

_LATEST = datetime.max.replace(tzinfo=UTC)
#: What no feed may say: people and the clock do.
OURS = frozenset(
    {
        *(JOURNEY_OPENED, JOURNEY_CLOSED, JOURNEY_CANCELLED, JOURNEY_SILENT),
        *(STAGE_COMPLETED, STAGE_SKIPPED, STAGE_REOPENED),
    }
)


class Name(NamedTuple):
    """What an encounter is called by sources that share a namespace, at whichever hospital."""

    namespace: str
    encounter_id: str


class EncounterKey(NamedTuple):
    """What one encounter is called: its id (as sent, trimmed) at a hospital, in the namespace of sources."""

    namespace: str
    hospital_id: UUID
    encounter_id: str

    @property
    def journey_id(self) -> UUID:
        """Return the id of the journey that opens under this name."""
        return _journey_id(self)


@lru_cache(maxsize=10_000)  # an event is folded with its journey's id many times over
def _journey_id(key: EncounterKey) -> UUID:
    return uuid5(_JOURNEYS, "\0".join((key.namespace, str(key.hospital_id), key.encounter_id)))


class Previous(NamedTuple):
    """The numbers before an event that merges, moves or renames: each null where it names none."""

    mrn: str | None
    nhs_number: str | None
    encounter_id: str | None
    patient_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece. Times are aware; `facility` is folded, "" where it is unknown; codes as sent.

    `journey_type` is that of PV1-2, None: it does not tell; `default_type` is what the site says of the
    source. `received_at` is when its message came. `department` is a ward's or department's code. Pieces with
    the same `event_uuid` are one: the greater `generation` counts. `hospital_id` is what people and the clock
    know, who name no facility. `reason` is what a person gave, `actor_id` the person; `template_version_id`
    what he opened a journey with.
    """

    event_uuid: UUID
    generation: int = 0
    occurred_at: datetime
    received_at: datetime
    message_uuid: UUID
    source: str
    code: str
    source_code: str | None = None
    namespace: str
    facility: str
    hospital_id: UUID | None = None
    encounter_id: str | None = None
    patient_id: UUID | None = None
    mrn: str | None = None
    journey_type: str | None = None
    default_type: str | None = None
    department: str | None = None
    physician: str | None = None
    discharged_at: datetime | None = None
    deceased: bool | None = None
    previous: Previous | None = None
    stage_id: UUID | None = None
    reason: str | None = None
    actor_id: UUID | None = None
    template_version_id: UUID | None = None

    @property
    def name(self) -> Name:
        """Return what its encounter is called; "" where it names none."""
        return Name(self.namespace, self.encounter_id or "")

    @property
    def place_in_time(self) -> tuple[datetime, datetime, UUID]:
        """Return what evidence is sorted by: of what happened in one instant the first told comes first."""
        return self.occurred_at.astimezone(UTC), self.received_at.astimezone(UTC), self.event_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Whatever was the prior patient's is another's from then on (A43 without an encounter)."""

    event_uuid: UUID
    occurred_at: datetime
    prior_id: UUID
    patient_id: UUID

    @property
    def place_in_time(self) -> tuple[datetime, datetime, UUID]:
        """Return what moves are sorted by, and merged with evidence: after all of the same instant."""
        return self.occurred_at.astimezone(UTC), _LATEST, self.event_uuid


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of a journey: evidence, each event once, and moves of the patients it names."""

    evidence: tuple[Evidence, ...]
    moves: tuple[Move, ...] = field(default=())

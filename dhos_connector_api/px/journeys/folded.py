"""What a journey is, folded from its history: the words in which `fold.fold` answers (pure)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dhos_connector_api.px.journeys.template import JourneyType, Stage


class JourneyStatus(StrEnum):
    """The status of a journey."""

    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class StageStatus(StrEnum):
    """The status of a stage: in progress is one whose event came without a physician or place it needs."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Ending(StrEnum):
    """Why a journey is closed, or cancelled."""

    DISCHARGED = "discharged"
    ALL_STAGES = "all_stages"
    VISIT_COMPLETED = "visit_completed"
    SILENT = "silent"
    PERSON = "person"
    CANCELLED = "cancelled"


class Did(StrEnum):
    """What one piece of evidence did to a journey; several things at once are several entries."""

    OPENED = "opened"
    OPENED_AGAIN = "opened_again"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    CHANGED_TYPE = "changed_type"
    MOVED_PLACE = "moved_place"
    MOVED_PATIENT = "moved_patient"
    COMPLETED_STAGE = "completed_stage"
    STARTED_STAGE = "started_stage"
    SKIPPED_STAGE = "skipped_stage"
    REOPENED_STAGE = "reopened_stage"
    REPEATED = "repeated"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNow:
    """A stage as it is. `event_uuid` completed it. `is_late`: after the journey's end, so nobody is asked.

    `reopened` counts how often a person has taken it back.
    """

    stage: Stage
    status: StageStatus
    completed_at: datetime | None = None
    event_uuid: UUID | None = None
    physician: str | None = None
    department: str | None = None
    is_late: bool = False
    reopened: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a piece of evidence, or a move, did: `stage_id` where to a stage, `ending` where it closed."""

    event_uuid: UUID
    did: Did
    stage_id: UUID | None = None
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A journey. `types` are all it has been, the last is what it is; `assumed`: nobody told its type.

    `missing` are those of its types that no version was given for. `ended_at` is when it was closed or
    cancelled, by the evidence `ended_by`. `last_at` is when the newest of what the feeds tell happened.
    """

    types: tuple[JourneyType, ...]
    assumed: bool
    missing: tuple[JourneyType, ...]
    status: JourneyStatus
    started_at: datetime
    ended_at: datetime | None
    ending: Ending | None
    ended_by: UUID | None
    patient_id: UUID | None
    department: str | None
    physician: str | None
    deceased: bool
    last_at: datetime
    stages: tuple[StageNow, ...]
    effects: tuple[Effect, ...]

    @property
    def journey_type(self) -> JourneyType:
        """Return what kind of journey it is now."""
        return self.types[-1]

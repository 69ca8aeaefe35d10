"""Another room, which knows of a journey only what is announced of it, in order."""

from dataclasses import dataclass, field
from uuid import UUID

from dhos_connector_api.px.journeys.announcing import AnnouncementKind
from dhos_connector_api.px.journeys.folded import JourneyStatus


@dataclass
class JourneyListener:
    """What is known of one journey: its status, and the stages that are completed."""

    status: JourneyStatus = JourneyStatus.ACTIVE
    stages: set[UUID | None] = field(default_factory=set)

    def hear(self, kind: AnnouncementKind, stage: UUID | None) -> None:
        """Learn the next announcement. Fails where it does not follow from those before."""
        kinds = AnnouncementKind
        if kind is kinds.STAGE_COMPLETED:
            assert stage not in self.stages
            self.stages.add(stage)
        elif kind is kinds.STAGE_REOPENED:
            self.stages.remove(stage)
        elif kind is kinds.JOURNEY_REOPENED:
            assert self.status is not JourneyStatus.ACTIVE
            self.status = JourneyStatus.ACTIVE
        elif kind is kinds.JOURNEY_CLOSED:
            assert self.status is JourneyStatus.ACTIVE
            self.status = JourneyStatus.COMPLETED
        elif kind is kinds.JOURNEY_CANCELLED:
            self.status = JourneyStatus.CANCELLED
            self.stages.clear()

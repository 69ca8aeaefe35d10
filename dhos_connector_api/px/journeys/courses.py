"""The stages of a journey, all together, while its evidence is gone through (pure)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from dhos_connector_api.px.journeys.course import Course, Known
from dhos_connector_api.px.journeys.evidence import (
    CLOCK,
    JOURNEY_OPENED,
    PERSON,
    STAGE_COMPLETED,
    STAGE_REOPENED,
    STAGE_SKIPPED,
    Evidence,
)
from dhos_connector_api.px.journeys.folded import Effect, StageStatus
from dhos_connector_api.px.journeys.template import JourneyType, Stage, Version
from dhos_connector_api.px.journeys.triggers import fitting

_ACTS = frozenset({STAGE_COMPLETED, STAGE_SKIPPED, STAGE_REOPENED})


def stages_of(templates: Mapping[JourneyType, Version], types: Sequence[JourneyType]) -> list[Stage]:
    """Return the stages of all these types, in their order and then by position, each once."""
    found: dict[UUID, Stage] = {}
    for version in (templates[each] for each in types if each in templates):
        for stage in sorted(version.stages, key=lambda each: each.position):
            found.setdefault(stage.id, stage)
    return list(found.values())


class Courses:
    """The courses of the stages of one journey, in order."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.all = [Course(each) for each in stages]
        self._triggers = tuple(each.trigger for each in stages)
        # What the end of the journey waits for: what is required; where nothing is, everything.
        self._needed = [each for each in self.all if not each.stage.is_optional] or self.all
        self._in_progress: list[Course] = []

    def take(self, piece: Evidence, known: Known) -> list[Effect]:
        """Return what a piece does to the stages."""
        if piece.source == PERSON and piece.code in _ACTS:
            touched = [each for each in self.all if each.stage.id == piece.stage_id]
            did = [(each, each.take_act(piece, known)) for each in touched]
        else:
            touched = [self.all[place] for place in self._places(piece)]
            did = [(each, each.take_event(piece, known)) for each in touched]
        waiting = [each for each in self._in_progress if each not in touched]
        did += [(each, found) for each in waiting if (found := each.take_knowledge(piece, known))]
        if did:
            self._in_progress = [each for each in self.all if each.status is StageStatus.IN_PROGRESS]
        return [Effect(event_uuid=piece.event_uuid, did=found, stage_id=each.stage.id) for each, found in did]

    @property
    def are_all_met(self) -> bool:
        """Return whether there is something that the end of the journey waits for, and all of it is met."""
        return bool(self._needed) and all(each.is_met for each in self._needed)

    @property
    def met_told_at(self) -> datetime | None:
        """Return when the last of what completed these stages was told; None: nothing did."""
        told = [each.completed_by.received_at for each in self._needed if each.completed_by]
        return max(told, default=None)

    def is_last_completed_by(self, piece: Evidence) -> bool:
        """Return whether this piece completes the last of what the end of the journey waits for."""
        return any(each.completed_by is piece for each in self._needed) and self.are_all_met

    def are_waited_for_after(self, piece: Evidence) -> bool:
        """Return whether a required stage is unmet that comes after one which this piece fits."""
        places = self._places(piece)
        return bool(places) and any(
            not each.is_met and not each.stage.is_optional for each in self.all[places[0] + 1 :]
        )

    def _places(self, piece: Evidence) -> tuple[int, ...]:
        # What a person or the clock says is no event of a hospital's, but for the opening of a journey.
        if piece.source == CLOCK or (piece.source == PERSON and piece.code != JOURNEY_OPENED):
            return ()
        return fitting(self._triggers, piece.code, piece.source_code)

"""The status of a journey, and its stages, while its evidence is gone through in order of time (pure)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.course import Course, Known
from dhos_connector_api.px.journeys.courses import Courses
from dhos_connector_api.px.journeys.evidence import (
    CLOCK,
    JOURNEY_CANCELLED,
    JOURNEY_CLOSED,
    JOURNEY_OPENED,
    JOURNEY_SILENT,
    PERSON,
    Evidence,
)
from dhos_connector_api.px.journeys.folded import Did, Effect, Ending, JourneyStatus, StageNow
from dhos_connector_api.px.journeys.template import JourneyType, Stage
from dhos_connector_api.px.journeys.timeline import known_at_each, newest_told

#: Nothing has to be heard of an outpatient for so long before the visit counts as over.
SILENCE = timedelta(hours=24)


class Walk:
    """The way of one journey through its evidence; begins before the journey is open."""

    def __init__(
        self, pieces: Sequence[Evidence], kinds: Sequence[JourneyType], stages: Sequence[Stage]
    ) -> None:
        self._pieces, self._kinds = pieces, kinds
        self._courses = Courses(stages)
        self._physicians = known_at_each(pieces, "physician")
        self._departments = known_at_each(pieces, "department")
        self.status: JourneyStatus | None = None
        self.started_at: datetime | None = None
        self.ending: Ending | None = None
        self.ended_at: datetime | None = None
        self.ended_by: Evidence | None = None
        # When the journey's end was first told; what came before may yet have ended it earlier.
        self._end_told_at: datetime | None = None

    def go(self) -> list[list[Effect]]:
        """Return what each piece did to the journey's status and to its stages."""
        return [self._take(place) for place in range(len(self._pieces))]

    @property
    def physician(self) -> str | None:
        """Return who was told last."""
        return self._physicians[-1]

    @property
    def department(self) -> str | None:
        """Return the place that was told last."""
        return self._departments[-1]

    def stages(self) -> tuple[StageNow, ...]:
        """Return the stages as they are in the end."""
        if self.status is JourneyStatus.CANCELLED:
            return tuple(each.cancelled() for each in self._courses.all)
        is_open = self.status is JourneyStatus.ACTIVE
        return tuple(
            each.in_the_end(is_open=is_open, is_late=self._is_late(each)) for each in self._courses.all
        )

    def _take(self, place: int) -> list[Effect]:
        piece = self._pieces[place]
        known = Known(
            piece.physician or self._physicians[place], piece.department or self._departments[place]
        )
        of_stages = self._courses.take(piece, known)
        kind, step = self._kinds[place], _step_of(piece)
        effects = [*self._taken_back(piece, kind), *of_stages]
        if self.ending is Ending.ALL_STAGES and not self._courses.are_all_met:  # a person took one back
            effects.append(self._opened_again(piece))
        did = step(self, piece, kind) if step else None
        if did:
            effects.insert(0, self._effect(piece, did))
        if self.status is JourneyStatus.ACTIVE and self._is_complete_by(piece, did):
            self._end(piece, Ending.ALL_STAGES)
            self._end_told_at = max(self._courses.met_told_at or piece.received_at, piece.received_at)
            effects.append(self._effect(piece, Did.CLOSED))
        return effects

    def _opened_again(self, piece: Evidence) -> Effect:
        self._go_on()
        return self._effect(piece, Did.OPENED_AGAIN)

    def _taken_back(self, piece: Evidence, kind: JourneyType) -> list[Effect]:
        """Take back an end that only another type of journey comes to: who was admitted has not gone."""
        is_silent_inpatient = self.ending is Ending.SILENT and kind is JourneyType.INPATIENT
        has_stayed = self.ending is Ending.VISIT_COMPLETED and kind is not JourneyType.OPD
        return [self._opened_again(piece)] if is_silent_inpatient or has_stayed else []

    def _is_complete_by(self, piece: Evidence, did: Did | None) -> bool:
        """Whether nothing is waited for since this piece; what opens a journey may come after its stages."""
        if did is Did.OPENED:
            return self._courses.are_all_met
        return self._courses.is_last_completed_by(piece)

    def _effect(self, piece: Evidence, did: Did) -> Effect:
        ends = did in (Did.CLOSED, Did.CANCELLED)
        return Effect(event_uuid=piece.event_uuid, did=did, ending=self.ending if ends else None)

    def _is_late(self, course: Course) -> bool:
        """Whether it was completed after the journey's end, or told after an end was told."""
        last = course.completed_by
        if last is None or self.ended_at is None or self._end_told_at is None:
            return False
        is_after = last.occurred_at > self.ended_at and last is not self.ended_by
        return is_after or last.received_at > self._end_told_at

    def _end(self, piece: Evidence, ending: Ending, at: datetime | None = None) -> None:
        is_over = ending is Ending.CANCELLED
        self.status = JourneyStatus.CANCELLED if is_over else JourneyStatus.COMPLETED
        self.ending, self.ended_by, self.ended_at = ending, piece, at or piece.occurred_at
        self._end_told_at = piece.received_at

    def _close(self, piece: Evidence, ending: Ending, at: datetime | None = None) -> Did | None:
        if self.status is JourneyStatus.ACTIVE:
            self._end(piece, ending, at)
            return Did.CLOSED
        if self._end_told_at is not None:
            self._end_told_at = min(self._end_told_at, piece.received_at)
        return Did.REPEATED if self.ending is ending else None

    def _go_on(self) -> None:
        self.status = JourneyStatus.ACTIVE
        self.ending = self.ended_by = self.ended_at = self._end_told_at = None

    def open(self, piece: Evidence, _: JourneyType) -> Did | None:
        """Open the journey, or open it again after it was cancelled."""
        if self.started_at is None:
            self.started_at = piece.occurred_at
            self._go_on()
            return Did.OPENED
        if self.status is JourneyStatus.CANCELLED:
            self._go_on()
            return Did.OPENED_AGAIN
        return Did.REPEATED

    def discharge(self, piece: Evidence, _: JourneyType) -> Did | None:
        """Close it, at the time that the discharge says; one before the beginning is no time of an end."""
        told, begun = piece.discharged_at, self.started_at
        return self._close(piece, Ending.DISCHARGED, told if told and begun and told >= begun else None)

    def end_visit(self, piece: Evidence, kind: JourneyType) -> Did | None:
        """Close an outpatient's, unless the event ends one stage only and another is to come."""
        if kind is not JourneyType.OPD or self._courses.are_waited_for_after(piece):
            return None
        return self._close(piece, Ending.VISIT_COMPLETED)

    def cancel(self, piece: Evidence, _: JourneyType) -> Did | None:
        """Cancel it, whatever it was."""
        if self.status is None:
            return None
        if self.status is JourneyStatus.CANCELLED:
            return Did.REPEATED
        self._end(piece, Ending.CANCELLED)
        return Did.CANCELLED

    def reopen(self, _: Evidence, __: JourneyType) -> Did | None:
        """Take its end back; a cancellation stays."""
        if self.status is not JourneyStatus.COMPLETED:
            return None
        self._go_on()
        return Did.OPENED_AGAIN

    def close_by_hand(self, piece: Evidence, _: JourneyType) -> Did | None:
        """Close it, as a person asked."""
        return self._close(piece, Ending.PERSON)

    def fall_silent(self, piece: Evidence, kind: JourneyType) -> Did | None:
        """Close it if nothing was heard for so long; an inpatient may be silent."""
        newest = newest_told(self._pieces, until=piece.occurred_at)
        if kind is JourneyType.INPATIENT or newest is None or piece.occurred_at - newest < SILENCE:
            return None
        return self._close(piece, Ending.SILENT)


_Step = Callable[[Walk, Evidence, JourneyType], Did | None]
_OF_FEEDS: dict[str, _Step] = {
    **dict.fromkeys(codes.OPENING - {JOURNEY_OPENED}, Walk.open),
    **dict.fromkeys(codes.DISCHARGES, Walk.discharge),
    **dict.fromkeys(codes.VISIT_ENDS, Walk.end_visit),
    **dict.fromkeys(codes.CANCELLING, Walk.cancel),
    **dict.fromkeys(codes.REOPENING, Walk.reopen),
}
_OF_PERSONS = {
    **_OF_FEEDS,
    JOURNEY_OPENED: Walk.open,
    JOURNEY_CLOSED: Walk.close_by_hand,
    JOURNEY_CANCELLED: Walk.cancel,
}
#: The clock also says of a journey that nothing opens any more that it was opened, and withdrawn.
_OF_THE_CLOCK: dict[str, _Step] = {
    JOURNEY_SILENT: Walk.fall_silent,
    JOURNEY_OPENED: Walk.open,
    codes.WITHDRAWN: Walk.cancel,
}
#: A feed that sends a code of ours is no person, and no clock.
_BY_SOURCE = {PERSON: _OF_PERSONS, CLOCK: _OF_THE_CLOCK}


def _step_of(piece: Evidence) -> _Step | None:
    return _BY_SOURCE.get(piece.source, _OF_FEEDS).get(codes.folded(piece.code))

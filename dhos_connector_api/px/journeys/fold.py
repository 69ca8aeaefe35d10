"""A journey as a pure fold over its history, sorted by the time things happened (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from dhos_connector_api.px.journeys.courses import stages_of
from dhos_connector_api.px.journeys.evidence import Evidence, History, Move
from dhos_connector_api.px.journeys.folded import Did, Effect, Folded
from dhos_connector_api.px.journeys.kinds import kinds
from dhos_connector_api.px.journeys.template import JourneyType, Version
from dhos_connector_api.px.journeys.timeline import deceased, in_time, moved_place, moves_in_time, newest_told
from dhos_connector_api.px.journeys.walk import Walk
from dhos_connector_api.px.journeys.whose import patient


def fold(templates: Mapping[JourneyType, Version], history: History) -> Folded | None:
    """Return the journey that this history makes; None: nothing in it opens one.

    In whatever order and however often its pieces come, the journey is the same. `templates` are the
    versions it was opened with, by type; ADR 53 says what each kind of evidence means.
    """
    pieces, moves = in_time(history.evidence), moves_in_time(history.moves)
    kind = kinds(pieces)
    walk = Walk(pieces, kind.at, stages_of(templates, kind.types))
    of_walk = walk.go()
    if walk.status is None or walk.started_at is None:
        return None
    whose, moved = patient(pieces, moves)
    beside = {
        Did.CHANGED_TYPE: kind.changed_by,
        Did.MOVED_PLACE: moved_place(pieces),
        Did.MOVED_PATIENT: moved,
    }
    return Folded(
        types=kind.types,
        assumed=kind.assumed,
        missing=tuple(each for each in kind.types if each not in templates),
        status=walk.status,
        started_at=walk.started_at,
        ended_at=walk.ended_at,
        ending=walk.ending,
        ended_by=walk.ended_by.event_uuid if walk.ended_by else None,
        patient_id=whose,
        department=walk.department,
        physician=walk.physician,
        deceased=deceased(pieces),
        last_at=newest_told(pieces) or walk.started_at,
        stages=walk.stages(),
        effects=tuple(_effects(pieces, of_walk, moves, beside)),
    )


def _effects(
    pieces: Sequence[Evidence],
    of_walk: Sequence[list[Effect]],
    moves: Sequence[Move],
    beside: Mapping[Did, frozenset[UUID]],
) -> Iterator[Effect]:
    """What each piece did to the status and the stages, and what beside these; then the moves of patients."""
    for piece, effects in zip(pieces, of_walk, strict=True):
        also = [did for did, events in beside.items() if piece.event_uuid in events]
        yield from effects
        for did in also:
            yield Effect(event_uuid=piece.event_uuid, did=did)
        if not effects and not also:
            yield Effect(event_uuid=piece.event_uuid, did=Did.NOTHING)
    for move in moves:
        is_ours = move.event_uuid in beside[Did.MOVED_PATIENT]
        yield Effect(event_uuid=move.event_uuid, did=Did.MOVED_PATIENT if is_ours else Did.NOTHING)

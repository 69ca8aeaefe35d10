"""What other rooms are to be told of a journey: the difference from what they were told before (pure)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from dhos_connector_api.px.journeys.folded import Folded, JourneyStatus, StageNow, StageStatus


class AnnouncementKind(StrEnum):
    """What happened, as other rooms see it."""

    STAGE_COMPLETED = "stage_completed"
    STAGE_REOPENED = "stage_reopened"
    JOURNEY_CLOSED = "journey_closed"
    JOURNEY_REOPENED = "journey_reopened"
    JOURNEY_CANCELLED = "journey_cancelled"
    JOURNEY_MOVED = "journey_moved"
    JOURNEY_MERGED = "journey_merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One of them; `number` counts on per journey.

    `stage_id` is there where it is about a stage; `stage` where the journey still has it: a correction of
    its type may have taken it away. `merged_id` is the journey that turned out to be this one.
    """

    kind: AnnouncementKind
    number: int
    stage: StageNow | None = None
    stage_id: UUID | None = None
    merged_id: UUID | None = None

    def id_in(self, journey_id: UUID) -> UUID:
        """Return its id, which is the same whenever this journey makes the announcement of that number."""
        return uuid5(journey_id, str(self.number))


#: A kind, and the stage it is about: as it is now, or only its id.
_Found = tuple[AnnouncementKind, StageNow | UUID | None]


def announcements(
    before: Mapping[str, Any], folded: Folded, merged: Collection[UUID] = ()
) -> tuple[list[Announcement], dict[str, Any]]:
    """Return what is to be announced of a journey, in order, and what was announced then.

    `before` is the JSON of `journey_instance.announced`, {} at first: `number` of the last announcement,
    `status`, `patient`, and for each stage announced as complete how often it had been `reopened`.
    `merged` are journeys others were told of, which turned out to be this one.
    A cancelled journey announces nothing of its stages, and all of them anew if it opens again.
    """
    number = before.get("number", 0)
    told = [
        Announcement(kind=AnnouncementKind.JOURNEY_MERGED, number=number + place, merged_id=each)
        for place, each in enumerate(sorted(merged), 1)
    ]
    told += [
        _announcement(kind, number + place, about)
        for place, (kind, about) in enumerate(_found(before, folded), len(told) + 1)
    ]
    return told, _after(before, folded, number + len(told))


def _found(before: Mapping[str, Any], folded: Folded) -> Iterator[_Found]:
    was, is_now = before.get("status", JourneyStatus.ACTIVE), folded.status
    if is_now is JourneyStatus.CANCELLED:
        if was != is_now:
            yield AnnouncementKind.JOURNEY_CANCELLED, None
        return
    if was == JourneyStatus.CANCELLED or (was != is_now and is_now is JourneyStatus.ACTIVE):
        yield AnnouncementKind.JOURNEY_REOPENED, None
    if "patient" in before and before["patient"] != _text(folded.patient_id):
        yield AnnouncementKind.JOURNEY_MOVED, None
    yield from _stages(before.get("stages", {}), folded)
    if was != is_now and is_now is JourneyStatus.COMPLETED:
        yield AnnouncementKind.JOURNEY_CLOSED, None


def _stages(before: Mapping[str, int], folded: Folded) -> Iterator[_Found]:
    """Completions that were taken back, then those that are new; one taken back and made anew is both."""
    stages = {str(each.stage.id): each for each in folded.stages}
    now = _completed(folded)
    for id_, reopened in before.items():
        if now.get(id_) != reopened:
            yield AnnouncementKind.STAGE_REOPENED, stages.get(id_) or UUID(id_)
    for id_, reopened in now.items():
        if before.get(id_) != reopened:
            yield AnnouncementKind.STAGE_COMPLETED, stages[id_]


def _after(before: Mapping[str, Any], folded: Folded, number: int) -> dict[str, Any]:
    after: dict[str, Any] = {"number": number, "status": str(folded.status), "stages": _completed(folded)}
    if folded.status is not JourneyStatus.CANCELLED:
        return after | {"patient": _text(folded.patient_id)}
    # Whose it became while it was cancelled is announced when it opens again.
    return after | ({"patient": before["patient"]} if "patient" in before else {})


def _completed(folded: Folded) -> dict[str, int]:
    return {
        str(each.stage.id): each.reopened for each in folded.stages if each.status is StageStatus.COMPLETED
    }


def _announcement(kind: AnnouncementKind, number: int, about: StageNow | UUID | None) -> Announcement:
    if isinstance(about, StageNow):
        return Announcement(kind=kind, number=number, stage=about, stage_id=about.stage.id)
    return Announcement(kind=kind, number=number, stage_id=about)


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)

"""Which of the evidence that is kept of an encounter counts, and at which hospital: before it is folded."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.evidence import CLOCK, PERSON, Evidence, Name
from dhos_connector_api.px.journeys.evidence_store import Kept, State

#: Pieces of evidence that count of each name of an encounter, beside those that decide what becomes of it.
MOST = 2_000


def placed(kept: Sequence[Kept]) -> list[Evidence]:
    """Return the evidence, with the hospital that its encounter's was applied at, told by the same facility.

    A facility that is to mean another hospital from now on does so for encounters that begin from now on:
    one that has begun stays one journey, and nobody is asked about it twice. Where nothing of an encounter
    names a facility, it stays where it was when there was but one hospital.
    """
    told = {each.evidence.name for each in kept if each.evidence.facility}
    known = {
        (each.evidence.name, each.evidence.source, each.evidence.facility): each.hospital_id
        for each in kept
        if each.state == State.APPLIED and (each.evidence.facility or each.evidence.name not in told)
    }
    return [
        replace(one, hospital_id=one.hospital_id or known.get((one.name, one.source, one.facility)))
        for one in (each.evidence for each in kept)
    ]


def bounded(kept: Sequence[Kept]) -> tuple[list[Kept], list[UUID]]:
    """Return what counts, and the events that are too many.

    What persons and the clock say counts, and what decides (`codes.DECIDING`), however much there is. Of all
    else the earliest MOST of each name do, by when it happened: a piece that is too many has MOST before it,
    so it may be left out from then on (`evidence_store.of_names`), and the order of arrival does not matter.
    """
    by_name: dict[Name, list[Kept]] = {}
    for each in kept:
        by_name.setdefault(each.evidence.name, []).append(each)
    few: list[Kept] = []
    too_many: list[UUID] = []
    for told in by_name.values():
        if len(told) <= MOST:
            few += told
            continue
        others = [each for each in told if not _decides(each.evidence)]
        others.sort(key=lambda each: each.evidence.place_in_time)
        few += [each for each in told if _decides(each.evidence)] + others[:MOST]
        too_many += [each.evidence.event_uuid for each in others[MOST:]]
    return few, too_many


def _decides(evidence: Evidence) -> bool:
    return evidence.source in (PERSON, CLOCK) or codes.folded(evidence.code) in codes.DECIDING

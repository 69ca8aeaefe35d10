"""What the actions of an accepted message leave out, and why (ERR-2 and table 0357 for where and what)."""

from collections.abc import Iterator, Sequence
from datetime import date, tzinfo
from itertools import islice

from dhos_connector_api.actions.hl7 import location
from dhos_connector_api.actions.hl7.death import IS_DEAD
from dhos_connector_api.actions.hl7.encounter import NOT_DISCHARGED
from dhos_connector_api.actions.hl7.extract import is_full
from dhos_connector_api.actions.hl7.facts import LONGEST_IDENTIFIER, indexable
from dhos_connector_api.actions.hl7.patient import SEXES
from dhos_connector_api.actions.hl7.values import moment, sent, timestamp
from dhos_connector_api.actions.hl7.visits import places_of_prior, visits_of
from dhos_connector_api.actions.left_out import (
    DATA_TYPE,
    MISSING,
    MOST,
    NOT_IN_TABLE,
    OTHER,
    SEQUENCE,
    LeftOut,
)
from dhos_connector_api.hl7v2.births import birth_of, is_bad
from dhos_connector_api.hl7v2.datetimes import Precision, is_filler, parse
from dhos_connector_api.hl7v2.groups import WITH_PRIOR, groups_or_nobody
from dhos_connector_api.hl7v2.pairing import pairing
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.segment import Segment
from dhos_connector_api.hl7v2.unusable import unusable
from dhos_connector_api.site.model import IdentifierTable, Inbound, Site

#: PID-8 where nothing is lost: known codes, and those of "not known" (table 0001, NHS data dictionary).
_TOLD_SEXES = frozenset({*SEXES, "U", "UNK", "UNKNOWN", "0", "9"})
#: The field of MRG with what is given up, by the trigger of a merge or move of accounts (3) or visits (5).
_PRIOR_ENCOUNTERS = {"A35": 3, "A36": 3, "A41": 3, "A44": 3, "A42": 5, "A45": 5, "A50": 5}
_NO_DATE = "is no date, or one with two readings"
_PARTIAL = "is a year or month alone"
_FILLER = "is a day that stands for no date"
_BIRTH = "is no date of birth from 1850 to tomorrow"


def left_out(message: Message, site: Site, zone: tzinfo) -> list[LeftOut]:
    """Return what the envelopes of an accepted message do not say, though something was sent for it.

    `zone` is where local times are read in. At most MOST, in the order of the segments' names.
    """
    return list(islice(_found(message, site.inbound, message.zone(zone)), MOST))


def _found(message: Message, inbound: Inbound, zone: tzinfo) -> Iterator[LeftOut]:
    full = is_full(message)
    yield from _times(message.msh, "MSH^1", (7,), zone)
    if evn := message.first("EVN"):
        yield from _times(evn, "EVN^1", (2, 6), zone)
    for number, pid in enumerate(message.all("PID"), start=1):
        yield from _patient(message, pid, f"PID^{number}", inbound.identifiers, zone, full=full)
    if message.all("MRG"):
        yield from _priors(message, inbound.identifiers)
        yield from _prior_encounters(message, inbound.encounter_ids)
    yield from _visits(message, inbound, zone, full=full)


def _times(segment: Segment, place: str, fields: Sequence[int], zone: tzinfo) -> list[LeftOut]:
    """The times of which nothing can be told: no date, a part of one, or a filler."""
    found = []
    for field in fields:
        raw = segment.raw(field)
        if raw and not _is_day(raw, zone) and (why := _fault(segment, field, zone)):
            found.append(LeftOut(DATA_TYPE, f"{place}^{field}", why))
    return found


def _fault(segment: Segment, field: int, zone: tzinfo) -> str | None:
    stamp = timestamp(segment, field, zone)
    if stamp is None:
        return None if sent(segment, field) is None else _NO_DATE
    if is_filler(stamp.value.date()):
        return _FILLER
    return _PARTIAL if stamp.precision < Precision.DAY else None


def _is_day(raw: str, zone: tzinfo) -> bool:
    """Whether a field as it stands is a time of a real day: so it nearly always is, and this is quick."""
    stamp = parse(raw, zone)
    return stamp is not None and stamp.precision >= Precision.DAY and not is_filler(stamp.value.date())


def _patient(
    message: Message, pid: Segment, place: str, table: IdentifierTable, zone: tzinfo, *, full: bool
) -> Iterator[LeftOut]:
    for field, repetition, why in unusable(pid, table, message.sent_on):
        yield LeftOut(DATA_TYPE, f"{place}^{field}^{repetition}", why)
    if full:
        if birth := _fault_of_birth(pid, message.received_on):
            yield LeftOut(DATA_TYPE, f"{place}^7", birth)
        if pid.raw(8) not in SEXES and (sent(pid, 8) or "U").upper() not in _TOLD_SEXES:
            yield LeftOut(NOT_IN_TABLE, f"{place}^8", "is no sex we can tell: it is sent on as unknown")
    yield from _times(pid, place, (29,), zone)
    if pid.raw(30) and (sent(pid, 30) or "Y").upper() not in IS_DEAD:
        yield LeftOut(NOT_IN_TABLE, f"{place}^30", "is neither Y nor N")


def _fault_of_birth(pid: Segment, today: date | None) -> str | None:
    born = birth_of(pid, today)
    if born is None:
        return _BIRTH if is_bad(pid, today) else None
    return _PARTIAL if born.precision < Precision.DAY else None


def _priors(message: Message, table: IdentifierTable) -> Iterator[LeftOut]:
    """The prior identifiers that are none, and those of which nothing tells what they became."""
    for number, mrg in enumerate(message.all("MRG"), start=1):
        for field, repetition, why in unusable(mrg, table, message.sent_on):
            yield LeftOut(DATA_TYPE, f"MRG^{number}^{field}^{repetition}", why)
    if message.trigger not in WITH_PRIOR or message.message_code != "ADT":
        return
    numbers = {id(mrg): number for number, mrg in enumerate(message.all("MRG"), start=1)}
    for group in groups_or_nobody(message):
        if group.mrg is not None:
            found = pairing(group.pid, group.mrg, table, message.sent_on)
            if any(not prior.type for prior in found.priors):
                text = "has an identifier of which nothing tells what it became"
                yield LeftOut(NOT_IN_TABLE, f"MRG^{numbers[id(group.mrg)]}^1", text)


def _prior_encounters(message: Message, places: Sequence[str]) -> Iterator[LeftOut]:
    """What a merge or move of accounts or visits gives up, where the site does not read that field."""
    field = _PRIOR_ENCOUNTERS.get(message.trigger)
    if field is None or message.message_code != "ADT":
        return
    readable = places_of_prior(field)
    if not set(readable).isdisjoint(places):
        return
    for number, mrg in enumerate(message.all("MRG"), start=1):
        if sent(mrg, field):
            text = f"is not told: the site's inbound.encounter_ids does not name {' or '.join(readable)}"
            yield LeftOut(OTHER, f"MRG^{number}^{field}", text)


def _visits(message: Message, inbound: Inbound, zone: tzinfo, *, full: bool) -> Iterator[LeftOut]:
    places = {id(pv1): f"PV1^{number}" for number, pv1 in enumerate(message.all("PV1"), start=1)}
    visits = visits_of(message, inbound.encounter_ids)
    for group, visit in zip(groups_or_nobody(message), visits, strict=True):
        if group.pv1 is not None:
            place = places.pop(id(group.pv1))
            yield from _visit(message, group.pv1, visit.id, place, inbound, zone, full=full)
    for place in places.values():
        yield LeftOut(
            SEQUENCE, place, "is not read: it follows another PV1 of its patient, or stands before PID"
        )


def _visit(
    message: Message,
    pv1: Segment,
    encounter: str | None,
    place: str,
    inbound: Inbound,
    zone: tzinfo,
    *,
    full: bool,
) -> list[LeftOut]:
    found = []
    if encounter and not indexable(encounter):
        text = f"the encounter's id has over {LONGEST_IDENTIFIER} characters: nothing is found by it"
        found.append(LeftOut(DATA_TYPE, place, text))
    if full:
        found += _times(pv1, place, (44,), zone)
        found += _no_ward(pv1, place)
        found += _no_encounter(pv1, place, encounter, inbound.encounter_ids, zone)
    if message.trigger in NOT_DISCHARGED and message.message_code == "ADT" and sent(pv1, 45):
        found.append(LeftOut(OTHER, f"{place}^45", "is the time of the discharge that is cancelled"))
    else:
        found += _times(pv1, place, (45,), zone)
    return found


def _no_ward(pv1: Segment, place: str) -> list[LeftOut]:
    """Nothing can be found by room or bed alone."""
    found = []
    for field in (location.ASSIGNED, location.PRIOR):
        raw = pv1.raw(field)
        if not raw or raw[0].isalnum() or sent(pv1, field):
            continue
        if sent(pv1, field, 2) or sent(pv1, field, 3):
            found.append(
                LeftOut(MISSING, f"{place}^{field}", "has a room or bed, and no point of care (PL.1)")
            )
    return found


def _no_encounter(
    pv1: Segment, place: str, encounter: str | None, places: Sequence[str], zone: tzinfo
) -> list[LeftOut]:
    if encounter and _is_day(pv1.raw(44), zone) and pv1.raw(2).isalnum() and pv1.raw(3)[:1].isalnum():
        return []
    id_field = places[0].removeprefix("PV1-") if places[0].startswith("PV1-") else ""
    needed = (
        ("44", "PV1-44", moment(pv1, 44, zone)),
        ("2", "PV1-2", sent(pv1, 2)),
        ("3", "PV1-3", sent(pv1, 3)),
        (id_field, " or ".join(places), encounter),
    )
    missing = [(field, name) for field, name, value in needed if not value]
    if not missing:
        return []
    first = missing[0][0]
    names = ", ".join(name for _, name in missing)
    where = f"{place}^{first}" if first else place
    return [LeftOut(MISSING, where, f"no process_encounter: it needs {names}")]

"""The facts of a message as a whole: type, sender, time, and the identifiers it is found under."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import MAXYEAR, MINYEAR, date, datetime, tzinfo
from itertools import islice
from typing import NamedTuple

from dhos_connector_api.actions.hl7.values import clean, timestamp
from dhos_connector_api.actions.hl7.visits import number_in, prior_id, visits_of
from dhos_connector_api.hl7v2.datetimes import Precision
from dhos_connector_api.hl7v2.groups import groups_or_nobody, patient_groups
from dhos_connector_api.hl7v2.identifiers import (
    MRN,
    NHS_NUMBER,
    VISIT_ID,
    Identifier,
    patient_identifiers,
)
from dhos_connector_api.hl7v2.pairing import pairing
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import LONGEST_SEGMENT, MOST_REPETITIONS_IN_ALL, MOST_SEGMENTS
from dhos_connector_api.hl7v2.segment import Segment
from dhos_connector_api.site.model import IdentifierTable, Inbound, Site

#: Characters; a longer value does not fit the search index and is no identifier.
LONGEST_IDENTIFIER = 255

#: Of one message. No accepted message has more; of one that is refused for its size the rest is not read.
MOST_IDENTIFIERS = MOST_REPETITIONS_IN_ALL + MOST_SEGMENTS

PATIENT_TYPES = (MRN, NHS_NUMBER)


class Facts(NamedTuple):
    """The facts of one message, fit to be stored: no NULs, no lone surrogates; '' where nothing was sent.

    `message_type` is MSH-9 as sent, `event_code` as in ADT_A01; `sending_application` and
    `sending_facility` are MSH-3 and MSH-4 whole, unescaped. `sent_at` is MSH-7, aware, or None when
    it is missing, impossible or only a year or month. `identifiers` are (type, value), each once.
    """

    message_type: str = ""
    event_code: str = ""
    sending_application: str = ""
    sending_facility: str = ""
    control_id: str = ""
    sent_at: datetime | None = None
    version: str = ""
    processing_id: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()


def facts(message: Message, site: Site, zone: tzinfo, header: Facts | None = None) -> Facts:
    """Return the facts of any readable message, accepted or not; MSH-7 without offset is read in `zone`."""
    known = header or header_facts(message, zone)
    return known._replace(identifiers=_identifiers(message, site.inbound))


def header_facts(message: Message, zone: tzinfo) -> Facts:
    """Return what MSH alone says: the facts without the identifiers."""
    header = message.msh
    return Facts(
        message_type=storable(header.raw(9)),
        event_code=storable(message.event_code),
        sending_application=storable(header.text(3)),
        sending_facility=storable(header.text(4)),
        control_id=storable(message.control_id),
        sent_at=_sent_at(message, zone),
        version=storable(message.version),
        processing_id=storable(header.value(11)),
    )


def storable(value: str) -> str:
    """Return `value` trimmed, '' for `""`, without what PostgreSQL's text cannot hold.

    NULs go, and lone surrogates become question marks.
    """
    if value.isalnum():  # the most frequent kind
        return value
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return clean(value) or ""


def indexable(value: str) -> bool:
    """Return whether `value` can stand in the search index as it is."""
    return 0 < len(value) <= LONGEST_IDENTIFIER and storable(value) == value


def _sent_at(message: Message, zone: tzinfo) -> datetime | None:
    """MSH-7; None too in the first and last year there is, which other zones do not reach."""
    stamp = timestamp(message.msh, 7, zone)
    if stamp is None or stamp.precision < Precision.DAY or not MINYEAR < stamp.value.year < MAXYEAR:
        return None
    return stamp.value


def _identifiers(message: Message, inbound: Inbound) -> tuple[tuple[str, str], ...]:
    """MRNs, NHS and visit numbers of all patients: current ones, then old ones (MRG)."""
    found = dict.fromkeys(islice(_found(message, inbound), MOST_IDENTIFIERS))
    return tuple([pair for pair in found if indexable(pair[1])])


def _found(message: Message, inbound: Inbound) -> Iterator[tuple[str, str]]:
    """As `_identifiers`, before anything is left out. Facts are read before the message is judged."""
    pids, mrgs, visits = (_bounded(message.all(name)) for name in ("PID", "MRG", "PV1"))
    table, on = inbound.identifiers, message.sent_on
    for pid in pids:
        yield from _known(patient_identifiers(pid, table, on).all)
    if mrgs:
        yield from _given_up(message, pids, mrgs, table, on)
    yield from _of_visits(message, visits, mrgs, inbound.encounter_ids)


def _bounded(segments: tuple[Segment, ...]) -> list[Segment]:
    return [segment for segment in segments[:MOST_SEGMENTS] if len(segment.line) <= LONGEST_SEGMENT]


def _given_up(
    message: Message, pids: list[Segment], mrgs: list[Segment], table: IdentifierTable, on: date | None
) -> Iterator[tuple[str, str]]:
    """The identifiers of MRG segments, of the types that those of their PID tell."""
    whole = {id(pid) for pid in pids}
    groups = [group for group in patient_groups(message) if id(group.pid) in whole]
    owners = {id(group.mrg): group.pid for group in groups}
    for mrg in mrgs:
        pid = owners.get(id(mrg))
        if pid is None:
            yield from _known(patient_identifiers(mrg, table, on).all)
        else:
            yield from _known(pairing(pid, mrg, table, on).priors)


def _known(identifiers: Iterable[Identifier]) -> Iterator[tuple[str, str]]:
    """Every MRN and NHS number among these, the best ones of each first."""
    return ((each.type, each.value) for each in identifiers if each.type in PATIENT_TYPES)


def _of_visits(
    message: Message, pv1s: list[Segment], mrgs: list[Segment], places: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The encounters of all patients, now and before; of each PV1 and MRG, also one that is no patient's."""
    found = visits_of(message, places)
    for visit in found:
        yield from _visit_ids(visit)
    if max(len(pv1s), len(mrgs)) <= len(found) == 1:
        return
    groups = groups_or_nobody(message)[: len(found)]
    grouped = {id(segment) for group in groups for segment in (group.pv1, group.mrg)}
    for segment in (*pv1s, *mrgs):
        if id(segment) not in grouped:
            read = number_in if segment.name == "PV1" else prior_id
            yield from _visit_ids([read(places, segment)])


def _visit_ids(ids: Iterable[str | None]) -> Iterator[tuple[str, str]]:
    return ((VISIT_ID, each) for each in ids if each)

"""One patient group of a message, read once for all the actions made from it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, tzinfo

from dhos_connector_api.actions.hl7 import location
from dhos_connector_api.actions.hl7.contact import Contact, read_contact
from dhos_connector_api.actions.hl7.location import Location
from dhos_connector_api.actions.hl7.values import moment, sent
from dhos_connector_api.hl7v2.groups import PatientGroup
from dhos_connector_api.hl7v2.identifiers import Identifiers, patient_identifiers
from dhos_connector_api.hl7v2.segment import Segment
from dhos_connector_api.site.model import IdentifierTable


@dataclass(slots=True)
class Subject:
    """A patient and visit: the segments, and what the actions need of them.

    `identity` is PID-3's, `previous` MRG-1's, `contact` PID-13's. Times are ISO 8601; `known_location` and
    `known_previous` are None without a ward.
    """

    pid: Segment
    mrg: Segment | None
    pv1: Segment | None
    identity: Identifiers
    previous: Identifiers | None
    contact: Contact
    encounter_id: str | None
    location: Location
    known_location: Location | None
    known_previous: Location | None
    discharged_at: str | None


def read_subjects(
    groups: Iterable[PatientGroup], table: IdentifierTable, zone: tzinfo, on: date | None
) -> Iterator[Subject]:
    """Return the subject of each group; PID-3 and MRG-1 are told apart by `table` as of that day.

    Local times are read in `zone`. What has repetitions is read once of a PID that groups share:
    else a message of one long PID and many MRG would take quadratic time.
    """
    pid, contact = None, Contact()
    for group in groups:
        if group.pid is not pid:
            pid, contact = group.pid, read_contact(group.pid)
        yield _subject(group, contact, table, zone, on)


def _subject(
    group: PatientGroup, contact: Contact, table: IdentifierTable, zone: tzinfo, on: date | None
) -> Subject:
    pv1 = group.pv1
    assigned = location.read_location(pv1, location.ASSIGNED)
    return Subject(
        pid=group.pid,
        mrg=group.mrg,
        pv1=pv1,
        identity=patient_identifiers(group.pid, table, on),
        previous=None if group.mrg is None else patient_identifiers(group.mrg, table, on),
        contact=contact,
        encounter_id=sent(pv1, 19),
        location=assigned,
        known_location=location.known(assigned),
        known_previous=location.known(location.read_location(pv1, location.PRIOR)),
        discharged_at=moment(pv1, 45, zone),
    )

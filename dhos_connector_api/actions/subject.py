"""One patient group of a message, read once for all the actions made from it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo

from dhos_connector_api.actions import location
from dhos_connector_api.actions.location import Location
from dhos_connector_api.actions.values import moment, sent
from dhos_connector_api.hl7v2.groups import PatientGroup
from dhos_connector_api.hl7v2.identifiers import Identifiers, patient_identifiers
from dhos_connector_api.hl7v2.segment import Segment
from dhos_connector_api.site import IdentifierTable


@dataclass(slots=True)
class Subject:
    """A patient and visit: the segments, and what the actions need of them.

    `identity` is PID-3's, `previous` MRG-1's. Times are ISO 8601; `known_location` and
    `known_previous` are None without a ward.
    """

    pid: Segment
    mrg: Segment | None
    pv1: Segment | None
    identity: Identifiers
    previous: Identifiers | None
    encounter_id: str | None
    location: Location
    known_location: Location | None
    known_previous: Location | None
    discharged_at: str | None


def identified(
    groups: Iterable[PatientGroup], table: IdentifierTable
) -> Iterator[tuple[PatientGroup, Identifiers]]:
    """Each group with what PID-3 names; groups in a row that share a PID have it read once.

    Without that, a message of one long PID and many MRG would take quadratic time.
    """
    pid, identity = None, Identifiers(None, None, ())
    for group in groups:
        if group.pid is not pid:
            pid, identity = group.pid, patient_identifiers(group.pid, table)
        yield group, identity


def read_subject(group: PatientGroup, identity: Identifiers, table: IdentifierTable, zone: tzinfo) -> Subject:
    """The subject of `group`; MRG-1 is told apart by `table`, local times are read in `zone`."""
    pv1 = group.pv1
    assigned = location.read_location(pv1, location.ASSIGNED)
    return Subject(
        pid=group.pid,
        mrg=group.mrg,
        pv1=pv1,
        identity=identity,
        previous=None if group.mrg is None else patient_identifiers(group.mrg, table),
        encounter_id=sent(pv1, 19),
        location=assigned,
        known_location=location.known(assigned),
        known_previous=location.known(location.read_location(pv1, location.PRIOR)),
        discharged_at=moment(pv1, 45, zone),
    )

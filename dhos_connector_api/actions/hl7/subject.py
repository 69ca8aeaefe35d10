"""One patient group of a message, read once for all the actions made from it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, tzinfo

from dhos_connector_api.actions.hl7 import location
from dhos_connector_api.actions.hl7.contact import Contact, read_contact
from dhos_connector_api.actions.hl7.death import Death, read_death
from dhos_connector_api.actions.hl7.location import Location
from dhos_connector_api.actions.hl7.values import moment
from dhos_connector_api.actions.hl7.visits import Visit, visits_of
from dhos_connector_api.hl7v2.groups import PATIENT_MERGES, WITH_PRIOR, PatientGroup, groups_or_nobody
from dhos_connector_api.hl7v2.identifiers import patient_identifiers
from dhos_connector_api.hl7v2.pairing import Known, given_up, now_known, pairing
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.segment import Segment
from dhos_connector_api.site.model import IdentifierTable, Inbound


@dataclass(slots=True)
class Subject:
    """A patient and visit: the segments, and what the actions need of them.

    `number` is unique in the message. `identity` is PID-3's: in a merge, what survives `previous`, which is
    MRG-1's and names only what changes; `prior_encounter_id` is MRG's too. `contact` is PID-13's, `death`
    PID-29's and PID-30's. Times are ISO 8601; `known_location` and `known_previous` are None without a ward.
    """

    number: str
    pid: Segment
    mrg: Segment | None
    pv1: Segment | None
    identity: Known
    previous: Known
    contact: Contact
    death: Death
    encounter_id: str | None
    prior_encounter_id: str | None
    location: Location
    known_location: Location | None
    known_previous: Location | None
    discharged_at: str | None


def read_subjects(message: Message, trigger: str, inbound: Inbound, zone: tzinfo) -> Iterator[Subject]:
    """Return the subjects of each group of an accepted message, by its trigger and what the site says.

    There is one for a group, but in a merge of patients one for each that is given up. Local times are
    read in `zone`. What has repetitions is read once of a PID that groups share: else a message of one
    long PID and many MRG would take quadratic time.
    """
    table, on = inbound.identifiers, message.sent_on
    groups, visits = groups_or_nobody(message), visits_of(message, inbound.encounter_ids)
    pid, contact, death = None, Contact(), Death(None, None)
    for number, (group, visit) in enumerate(zip(groups, visits, strict=True)):
        if group.pid is not pid:
            pid, contact, death = group.pid, read_contact(group.pid), read_death(group.pid)
        patient = patient_identifiers(group.pid, table, on)
        identity = Known(patient.mrn, patient.nhs_number)
        subject = _subject(group, str(number), identity, contact, death, visit, zone)
        steps = _steps(group, trigger, table, on)
        if steps:
            subject.identity, subject.previous = steps[0]
        yield subject
        for place, (known, previous) in enumerate(steps[1:], start=1):
            yield replace(subject, number=f"{number}.{place}", identity=known, previous=previous)


def _steps(
    group: PatientGroup, trigger: str, table: IdentifierTable, on: date | None
) -> list[tuple[Known, Known]]:
    """The numbers of the patient now and those given up, an envelope's at a time; none where none change."""
    if group.mrg is None or trigger not in WITH_PRIOR:
        return []
    found = pairing(group.pid, group.mrg, table, on)
    steps = found.steps if trigger in PATIENT_MERGES else found.steps[:1]
    return [(now_known(found.remaining, step), given_up(step)) for step in steps]


def _subject(
    group: PatientGroup,
    number: str,
    identity: Known,
    contact: Contact,
    death: Death,
    visit: Visit,
    zone: tzinfo,
) -> Subject:
    pv1 = group.pv1
    assigned = location.read_location(pv1, location.ASSIGNED)
    return Subject(
        number=number,
        pid=group.pid,
        mrg=group.mrg,
        pv1=pv1,
        identity=identity,
        previous=Known(),
        contact=contact,
        death=death,
        encounter_id=visit.id,
        prior_encounter_id=visit.prior,
        location=assigned,
        known_location=location.known(assigned),
        known_previous=location.known(location.read_location(pv1, location.PRIOR)),
        discharged_at=moment(pv1, 45, zone),
    )

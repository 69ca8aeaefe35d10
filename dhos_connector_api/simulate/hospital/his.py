"""A HIS that tells of invented patients over time: admitted, seen, sent home, and told again (pure).

It does what the real one does: sends the whole patient whenever something is added, the same bytes
twice, payloads in the wrong order, forgets a visit it told before, and spells as it likes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from dhos_connector_api.actions.his.dates import written
from dhos_connector_api.actions.his.payload import STAYS, VISITS
from dhos_connector_api.simulate.hospital.his_people import Person, doctor, draw

#: The visits of a stay in the order they usually come; the last one nobody knows.
_COURSE = (
    *("Consultation", "ChiefComplaint", "Clinical Condtion", "Doctor Visited", "Prescribed Drugs"),
    "Vital Signs",
)
_INSURERS = ("EXAMPLE COOPERATIVE", "MUSTER INSURANCE", "")
_AGAIN, _SWAPPED, _FORGOTTEN = 0.2, 0.15, 0.15


@dataclass(frozen=True, slots=True)
class HospitalOfHis:
    """The hospital as the HIS writes it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Transmission:
    """One request of the HIS: a patient's payload, or a webhook; `visits_sent` by its stay until then."""

    stay: int
    at: datetime
    body: bytes
    is_webhook: bool = False
    visits_sent: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Stay:
    """One stay as it goes on. `visits` are types and times, in the order they happened."""

    number: int
    person: Person
    admission_id: str
    hospital: HospitalOfHis
    admitted: datetime
    doctor: tuple[str, str]
    insurer: str
    visits: list[tuple[str, datetime]] = field(default_factory=list)
    discharged: datetime | None = None

    def payload(self, visits: Sequence[tuple[str, datetime]], at: datetime) -> Transmission:
        """Return the payload of the whole patient at that time, with these visits."""
        value = {
            STAYS: [self._entry()],
            VISITS: [{"Type": type_, "BillDate": written(at)} for type_, at in visits],
            "Code": 200,
            "Status": "Success",
        }
        return Transmission(
            self.number, at, _bytes(value), visits_sent=frozenset(type_.strip() for type_, _ in visits)
        )

    def _entry(self) -> dict[str, Any]:
        person = self.person
        return {
            "Type": "IP",
            "PatientID": person.patient_id,
            "AdmissionID": self.admission_id,
            "HospitalID": self.hospital.id,
            "HospitalName": self.hospital.name,
            "AdmitDate": written(self.admitted),
            "DischargeDate": written(self.discharged) if self.discharged else "",
            "SSN": person.national_id,
            "PatientName": person.name,
            "MobileNo": person.phone,
            "Gender": person.gender,
            "FullAge": person.age(self.admitted.date()),
            "PatientNationality": person.nationality,
            "DOB": person.born.isoformat(),
            "ConsultantID": self.doctor[0],
            "PrimaryDoctor": self.doctor[1],
            "InsuranceCompanyName": self.insurer,
            "BillType": "Credit" if self.insurer else "Cash",
            "IsVIP": "1" if person.is_vip else "0",
        }

    def webhook(self, event: str, at: datetime) -> Transmission:
        """Return the HIS's webhook for that event of the admission; at another time it has another id."""
        body = {
            "event_id": f"his-{self.admission_id}-{event.lower()}-{at:%Y%m%d%H%M%S}",
            "event": event,
            "occurred_at": at.isoformat(timespec="seconds"),
            "patient_code": self.person.patient_id,
            "visit_id": self.admission_id,
            "data": {"hospital": self.hospital.name, "consultant": self.doctor[0]},
        }
        return Transmission(self.number, at, _bytes(body), is_webhook=True)


def _bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def simulate(
    numbers: Random, patients: int, hospital: HospitalOfHis, now: datetime, *, webhooks: bool
) -> list[Transmission]:
    """Everything the HIS sends of that many patients, in the order it sends it.

    `now` is aware, in the hospital's zone: the last thing happens before it. The same numbers give the
    same bytes.
    """
    first = numbers.randrange(100_000, 9_000_000)  # numbers of stays do not repeat
    courses = (_course(n, first + n, numbers, hospital, now, webhooks=webhooks) for n in range(patients))
    streams = list(courses)
    sent = sorted((each for stream in streams for each in stream), key=lambda each: each.at)
    return _with_visits_sent(list(_disturbed(sent, numbers)))


def _course(
    number: int, admission: int, numbers: Random, hospital: HospitalOfHis, now: datetime, *, webhooks: bool
) -> list[Transmission]:
    """Return one stay, sent in good order: a payload whenever something is added."""
    at = now - timedelta(minutes=numbers.randrange(12 * 60, 48 * 60))
    person, insurer = draw(numbers, at.date()), numbers.choice(_INSURERS)
    stay = _Stay(number, person, str(admission), hospital, at, doctor(numbers), insurer)
    sent = [stay.payload([], at)]
    if webhooks:
        sent += [stay.webhook(event, at) for event in ("APPOINTMENT_CONFIRMED", "VISIT_STARTED")]
    for type_ in _COURSE[: numbers.randint(3, len(_COURSE))]:
        at += timedelta(minutes=numbers.randrange(2, 90))
        stay.visits.append((_spelt(type_, numbers), at))
        forgotten = len(stay.visits) > 1 and numbers.random() < _FORGOTTEN
        sent.append(stay.payload(stay.visits[forgotten:], at))
    stay.discharged = at = at + timedelta(minutes=numbers.randrange(5, 120))
    sent.append(stay.payload(stay.visits, at))
    if webhooks:
        events = ("PAYMENT_COMPLETED", "VISIT_COMPLETED", "COFFEE_SERVED")
        sent += [stay.webhook(event, at) for event in events]
    return sent


def _spelt(type_: str, numbers: Random) -> str:
    return numbers.choice((type_, type_, type_, f"{type_} ", type_.upper()))


def _disturbed(sent: Sequence[Transmission], numbers: Random) -> Iterator[Transmission]:
    """The same with some sent twice, and some of one stay in the wrong order."""
    waiting: dict[int, Transmission] = {}
    for each in sent:
        held = waiting.pop(each.stay, None)
        if held is None and numbers.random() < _SWAPPED:
            waiting[each.stay] = each
            continue
        yield each
        if held is not None:
            yield held
        if numbers.random() < _AGAIN:
            yield each
    yield from waiting.values()


def _with_visits_sent(sent: Sequence[Transmission]) -> list[Transmission]:
    """Return the same, each with all visits its stay has sent until then."""
    known: dict[int, frozenset[str]] = {}
    found = []
    for each in sent:
        known[each.stay] = known.get(each.stay, frozenset()) | each.visits_sent
        found.append(Transmission(each.stay, each.at, each.body, each.is_webhook, known[each.stay]))
    return found

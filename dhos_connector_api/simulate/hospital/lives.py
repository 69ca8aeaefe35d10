"""The lives of invented patients in a hospital, one life at a time (pure).

A life is a generator: it gives what happens (`Occurrence`) and, as a number of minutes, how long
nothing does. Whoever runs it sets `Chart.now` before going on.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from random import Random

from dhos_connector_api.simulate.hospital import people
from dhos_connector_api.simulate.hospital.names import DOCTORS
from dhos_connector_api.simulate.hospital.people import Person
from dhos_connector_api.simulate.hospital.wards import CLINICS, Beds, Place

_HOUR, _DAY = 60.0, 24 * 60.0
#: How likely each of these is.
_OUTPATIENT, _REGISTERED_BEFORE, _REGISTERED_TWICE, _UNIDENTIFIED = 0.2, 0.35, 0.04, 0.05
_ADMISSION_CANCELLED, _TRANSFER_CANCELLED, _DISCHARGE_CANCELLED = 0.04, 0.08, 0.05
_UPDATED, _MOVES_HOUSE, _DIES, _COMES_AGAIN = 0.3, 0.1, 0.03, 0.2


@dataclass(frozen=True, slots=True)
class Encounter:
    """A visit as it is now; `previous` is where a transfer came from."""

    number: str
    kind: str
    place: Place
    doctor: tuple[str, str, str]
    admitted: datetime
    previous: Place | None = None
    discharged: datetime | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing that a hospital tells of. `merged` is the record that was given up for `person`."""

    trigger: str
    at: datetime
    person: Person
    encounter: Encounter | None = None
    merged: Person | None = None


#: What happens, and minutes in which nothing does; in the end the record the patient is under.
Life = Generator[Occurrence | float, None, Person]


class Chart:
    """Runs lives: what they share is the hospital's beds and numbers, and chance."""

    def __init__(self, random: Random, *, prefix: str, first_nhs_number: int, start: datetime) -> None:
        self.now = start
        self._random = random
        self._beds = Beds(random)
        self._mrns = (f"{prefix}{number:06}" for number in count(1))
        self._visits = (f"V{prefix}{number:06}" for number in count(1))
        self._nhs_numbers = people.nhs_numbers(first_nhs_number)

    def life(self) -> Life:
        """Yield what happens to one patient."""
        person = self._new_person()
        if self._happens(_OUTPATIENT):
            return (yield from self._clinic(person))
        if self._happens(_UNIDENTIFIED):
            person = yield from self._stay(people.unidentified(self._random, mrn=next(self._mrns)), person)
        else:
            person = yield from self._registration(person)
            person = yield from self._stay(person)
        while person.died is None and self._happens(_COMES_AGAIN):
            yield self._between(5 * _DAY, 60 * _DAY)
            if self._happens(_MOVES_HOUSE):
                person = replace(person, street=people.street(self._random))
                yield self._tell("A31", person)
                yield self._between(_HOUR, 3 * _DAY)
            person = yield from self._stay(person)
        return person

    def _new_person(self) -> Person:
        number = next(self._nhs_numbers)
        return people.person(self._random, mrn=next(self._mrns), nhs_number=number, on=self.now.date())

    def _registration(self, person: Person) -> Life:
        """Some are known before they come, and some of them twice, until somebody sees it."""
        if not self._happens(_REGISTERED_BEFORE):
            return person
        yield self._tell("A28", person)
        if self._happens(_REGISTERED_TWICE):
            yield self._between(_HOUR, _DAY)
            twin = replace(person, mrn=next(self._mrns), nhs_number=None, given=person.given[:1], phone="")
            yield self._tell("A28", twin)
            yield self._between(_HOUR, _DAY)
            yield self._tell("A40", person, merged=twin)
        yield self._between(_HOUR, 7 * _DAY)
        return person

    def _clinic(self, person: Person) -> Life:
        visit = self._visit("OUTPATIENT", self._random.choice(CLINICS))
        yield self._tell("A04", person, visit)
        yield self._between(10, 3 * _HOUR)
        yield self._tell("A03", person, replace(visit, discharged=self.now))
        return person

    def _stay(self, person: Person, really: Person | None = None) -> Life:
        """From admission to discharge. `really` is who an unidentified patient turns out to be."""
        while (bed := self._beds.take()) is None:
            yield _HOUR
        visit = self._visit("EMERGENCY" if really else "INPATIENT", bed)
        yield self._tell("A01", person, visit)
        if really is None and self._happens(_ADMISSION_CANCELLED):
            yield self._between(5, _HOUR)
            yield self._tell("A11", person, visit)
            self._beds.give_back(bed)
            return person
        if really is not None:
            person = yield from self._identified(person, really, visit)
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 3))):
            yield self._between(_HOUR, 2 * _DAY)
            visit = yield from self._transferred(person, visit)
            if self._happens(_UPDATED):
                yield self._between(5, 5 * _HOUR)
                person = replace(person, phone=people.phone(self._random))
                yield self._tell("A08", person, visit)
        yield self._between(3 * _HOUR, 3 * _DAY)
        return (yield from self._discharged(person, visit))

    def _identified(self, unknown: Person, really: Person, visit: Encounter) -> Life:
        """The record made in a hurry is merged into the right one, which has the visit from then on."""
        yield self._between(_HOUR / 2, 8 * _HOUR)
        yield self._tell("A28", really)
        yield self._between(2, 30)
        yield self._tell("A40", really, merged=unknown)
        yield self._between(2, 30)
        yield self._tell("A08", really, visit)
        return really

    def _transferred(
        self, person: Person, visit: Encounter
    ) -> Generator[Occurrence | float, None, Encounter]:
        """The visit after a transfer; after one that was cancelled, and in a full hospital, as before."""
        bed = self._beds.take()
        if bed is None:
            return visit
        moved = replace(visit, place=bed, previous=visit.place)
        yield self._tell("A02", person, moved)
        if not self._happens(_TRANSFER_CANCELLED):
            self._beds.give_back(visit.place)
            return replace(moved, previous=None)
        yield self._between(5, 40)
        yield self._tell("A12", person, visit)
        self._beds.give_back(bed)
        return visit

    def _discharged(self, person: Person, visit: Encounter) -> Life:
        if self._happens(_DIES):
            person = replace(person, died=self.now)
        yield self._tell("A03", person, replace(visit, discharged=self.now))
        if person.died is None and self._happens(_DISCHARGE_CANCELLED):
            yield self._between(5, 90)
            yield self._tell("A13", person, visit)
            yield self._between(_HOUR, _DAY)
            yield self._tell("A03", person, replace(visit, discharged=self.now))
        self._beds.give_back(visit.place)
        return person

    def _visit(self, kind: str, place: Place) -> Encounter:
        return Encounter(next(self._visits), kind, place, self._random.choice(DOCTORS), self.now)

    def _tell(
        self, trigger: str, person: Person, encounter: Encounter | None = None, merged: Person | None = None
    ) -> Occurrence:
        return Occurrence(trigger, self.now, person, encounter, merged)

    def _happens(self, likelihood: float) -> bool:
        return self._random.random() < likelihood

    def _between(self, least: float, most: float) -> float:
        """Minutes: nearer to the least, as a rule."""
        return self._random.triangular(least, most, least)

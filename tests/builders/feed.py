"""Builders of what happens to patients, the envelopes that tell of it, and what they come to in the end.

`expected` is the sorted fold, worked out from the happenings: it knows nothing of the consumers' code.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, Envelope
from dhos_connector_api.actions.process_event import action
from dhos_connector_api.hl7v2.datetimes import instant
from dhos_connector_api.inbox.letter import Letter

START = datetime(2026, 1, 1, tzinfo=UTC)
FACILITY = "RXX"
MERGES = ["ADT_A18", "ADT_A30", "ADT_A34", "ADT_A36", "ADT_A39", "ADT_A40"]
MOVES = ["ADT_A35", "ADT_A41", "ADT_A42", "ADT_A43", "ADT_A44", "ADT_A45", "ADT_A50"]
RENAME = "ADT_A47"
_number = count(1)


@dataclass(frozen=True)
class Happening:
    """One event of a patient, and what it tells of him; `prior` is whom it replaces or moves from."""

    mrn: str
    code: str = "ADT_A08"
    at: datetime = field(default_factory=lambda: START + timedelta(minutes=next(_number)))
    prior: str | None = None
    name: tuple[str | None, str | None] | None = None
    phone: str | None = None
    deceased: bool | None = None
    died_on: str | None = None
    event: UUID = field(default_factory=uuid4)
    facility: str | None = FACILITY
    source: str = "hl7v2"
    more: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def order(self) -> tuple[datetime, str]:
        return self.at, str(self.event)

    def body(self) -> bytes:
        """The envelope that tells of it."""
        given: dict[str, Any] = {
            "source_system": self.source,
            "event_code": self.code,
            "event_uuid": str(self.event),
            "occurred_at": instant(self.at),
            "facility": self.facility,
            "patient": {"mrn": self.mrn},
            "contact": {"phone": self.phone},
            "deceased": self.deceased,
        }
        if self.prior is not None:
            given["previous"] = {"mrn": self.prior, "nhs_number": None, "encounter_id": None}
        names = dict(zip(("first_name", "last_name"), self.name or (None, None), strict=True))
        patient = {"sex_sct": "184115007", "mrn": self.mrn, "date_of_death": self.died_on, **names}
        told = {name: value for name, value in patient.items() if value is not None}
        actions = [{"name": "process_patient", "data": told}] if self.name or self.died_on else []
        content = {
            "dhos_connector_message_uuid": str(self.event),
            "actions": [*actions, action(given, self.more)],
        }
        return json.dumps(content).encode()

    def letter(self) -> Letter:
        """It, as it arrives at a consumer."""
        return Letter(str(self.event), EVENT_ROUTING_KEY, "request-1", self.body())

    def envelope(self) -> Envelope:
        """It, as it waits in the outbox."""
        return Envelope(self.event, EVENT_ROUTING_KEY, self.body(), "request-1")


class Patient(NamedTuple):
    """What stands in the table in the end."""

    name: tuple[str | None, str | None] = (None, None)
    phone: str | None = None
    is_deceased: bool = False
    died_on: str | None = None
    merged_into: str | None = None


def invented(random: Random, happenings: int, patients: int) -> list[Happening]:
    """Return so many things that happen to so many patients, at few moments, so that many coincide."""
    return [_invented(random, patients) for _ in range(happenings)]


def _invented(random: Random, patients: int) -> Happening:
    mrn, other = (f"M{random.randrange(patients)}" for _ in range(2))
    at = START + timedelta(minutes=random.randrange(patients * 4))
    event = UUID(int=random.getrandbits(128), version=4)
    kind = random.random()
    if kind < 0.2:
        return Happening(mrn, random.choice([*MERGES, RENAME, RENAME]), at, prior=other, event=event)
    if kind < 0.25:
        return Happening(mrn, random.choice(MOVES), at, prior=other, phone=_phone(random), event=event)
    if kind < 0.35:
        deceased = random.choice([True, False, None])
        died_on = None if deceased is not True else random.choice([None, "2026-02-03"])
        who = ("Ann", random.choice(["Lee", "Ray", "Fox"])) if died_on else None
        return Happening(mrn, at=at, deceased=deceased, died_on=died_on, name=who, event=event)
    name = (random.choice(["Ann", "Sam", None]), random.choice(["Lee", "Ray", "Fox"]))
    return Happening(mrn, at=at, name=name, phone=random.choice([None, _phone(random)]), event=event)


def _phone(random: Random) -> str:
    return f"+44 20 7946 {random.randrange(10_000):04}"


def expected(happenings: Iterable[Happening]) -> dict[str, Patient]:
    """Return what every patient comes to, by his MRN: the sorted fold."""
    inorder = sorted(set(happenings), key=lambda each: each.order)
    renames = [(each.prior, each.mrn) for each in inorder if each.code == RENAME and each.prior != each.mrn]
    survivors = _survivors(inorder)
    known = {mrn for each in inorder for mrn in _spoken_of(each)}
    return {mrn: _patient(mrn, inorder, renames, survivors) for mrn in known}


def _spoken_of(each: Happening) -> list[str]:
    merges = each.prior not in (None, each.mrn) and each.code in {*MERGES, RENAME}
    tells = each.name or each.phone or each.died_on or each.deceased is not None
    return [each.mrn, *([each.prior] if merges and each.prior else [])] if merges or tells else []


def _survivors(inorder: Sequence[Happening]) -> dict[str, str]:
    parents: dict[str, str] = {}
    for each in inorder:
        if each.prior is None or each.code not in {*MERGES, RENAME}:
            continue
        end = each.mrn
        while end != each.prior and end in parents:
            end = parents[end]
        if end != each.prior:
            parents[each.prior] = each.mrn
    return parents


def _patient(
    mrn: str,
    inorder: Sequence[Happening],
    renames: Sequence[tuple[str | None, str]],
    survivors: dict[str, str],
) -> Patient:
    numbers, before = {mrn}, set[str]()
    while numbers != before:
        before = set(numbers)
        numbers |= {prior for prior, now in renames if now in numbers and prior is not None}
    told = Patient()
    for each in inorder:
        if each.mrn in numbers:
            told = _told(told, each)
    last = mrn
    while last in survivors:
        last = survivors[last]
    return told._replace(merged_into=None if last == mrn else last)


def _told(told: Patient, each: Happening) -> Patient:
    if each.name:
        told = told._replace(name=each.name)
    if each.phone:
        told = told._replace(phone=each.phone)
    if each.died_on:
        return told._replace(is_deceased=True, died_on=each.died_on)
    if each.deceased is not None:
        died_on = told.died_on if each.deceased else None
        return told._replace(is_deceased=each.deceased, died_on=died_on)
    return told

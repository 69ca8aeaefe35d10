"""What an EPR, a HIS and others tell of the encounters of one hospital, as the simulators make them.

All four doors: HL7 over HTTP, HIS payloads, integration events, webhooks.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import requests

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys.template import JourneyType
from dhos_connector_api.simulate.hospital.his import HospitalOfHis, simulate
from dhos_connector_api.simulate.hospital.stream import stream
from dhos_connector_api.simulate.hospital.wards import FACILITY
from tests.builders.api import a_key
from tests.builders.encounters import HOSPITAL, a_hospital
from tests.builders.his import MAIN, SITE_FILE, WRITE_HIS, raw_of, signed_headers
from tests.builders.journey_templates import a_template
from tests.rigs.feed_ledger import batches, shuffled
from tests.rigs.his_ledger import PATIENT_DATA, WEBHOOK
from tests.rigs.ledger import token

#: Long ago, so that the clock ends in this run what nobody ends.
_BEGUN = datetime(2025, 6, 5, 8, tzinfo=UTC)
#: One encounter of so many is the HIS's, which tells more of each than the EPR does.
_OF_HIS = 10
#: One message or event of so many is sent by itself too; up to so many are sent together.
_SINGLY, _AT_ONCE = 5, 50
_HL7, _EVENTS = "/dhos/v1/message", "/api/integrations/events/"
_CODES = ("LAB_ORDER_COMPLETED", "CONSULTATION", "PRESCRIBED_DRUGS", "OPD_VISIT_COMPLETED")
SITE = (
    SITE_FILE
    + """
[journeys.encounter_types]
INPATIENT = "inpatient"
OUTPATIENT = "opd"
EMERGENCY = "ems"

[journeys.source_types]
his = "inpatient"
"""
)
_STAGES: dict[JourneyType, dict[str, str]] = {
    JourneyType.OPD: {"CONSULT": "CONSULTATION", "LAB": "LAB_ORDER_COMPLETED", "DONE": "OPD_VISIT_COMPLETED"},
    JourneyType.INPATIENT: {
        "WARD": "ADT_A02",
        "LAB": "LAB_ORDER_COMPLETED",
        "DOCTOR": "Doctor Visited",
        "PHARMACY": "PRESCRIBED_DRUGS",
        "PAID": "PAYMENT_COMPLETED",
    },
    JourneyType.EMS: {"ARRIVED": "ADT_A01", "LAB": "LAB_ORDER_COMPLETED", "HOME": "ADT_A03"},
}


@dataclass(frozen=True, slots=True)
class Posting:
    """One request; `taken` is how many messages of HL7 its answer says are taken."""

    path: str
    body: bytes
    headers: dict[str, str]
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """All requests, each once, and the encounters that they tell of."""

    postings: list[Posting]
    encounters: set[str]


@dataclass
class Teller:
    """Whoever posts a part of them; one is posted until it is taken."""

    part: Iterator[Posting]
    acknowledged: list[Posting] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def next_message(self) -> Posting:
        """Return what comes next."""
        return next(self.part)

    def offer(self, url: str, posting: Posting) -> bool:
        """Post it once; True when it was taken. Anything but that, 503 or silence is a failure."""
        try:
            answer = self.session.post(
                url + posting.path, data=posting.body, headers=posting.headers, timeout=30
            )
        except requests.RequestException:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code in (200, 201), answer.text
        assert answer.content.count(b"MSA|AA|") == posting.taken
        assert posting.taken or not answer.json().get("errors")
        self.acknowledged.append(posting)
        return True

    def __del__(self) -> None:
        self.session.close()


def tellers(random: Random, traffic: Traffic, number: int) -> tuple[list[Teller], int]:
    """Return who posts them, one to three times and in any order, and how many requests each posts."""
    copies = shuffled(random, traffic.postings)
    each = len(copies) // number + 1
    copies += random.sample(traffic.postings, each * number - len(copies))
    return [Teller(iter(copies[place::number])) for place in range(number)], each


def a_hospital_of_journeys(database: Database) -> str:
    """Store the hospital and its templates; return an API key of its HIS."""
    with database.transaction() as connection:
        a_hospital(connection, hl7v2=FACILITY, his=MAIN.code)
        for type_, stages in _STAGES.items():
            a_template(connection, HOSPITAL, stages, journey_type=type_)
    return a_key(database)


def traffic(random: Random, encounters: int, key: str) -> Traffic:
    """Return what is told of so many encounters; `key` is the API key of the HIS."""
    of_his = encounters // _OF_HIS
    postings: list[Posting] = []
    times: dict[str, datetime] = {}
    postings += _of_epr(random, encounters - of_his, times)
    postings += _of_his(random, of_his, times)
    postings += _of_others(random, times, key)
    return Traffic(postings, set(times))


def _of_epr(random: Random, encounters: int, times: dict[str, datetime]) -> Iterable[Posting]:
    """The messages of whole lives, until there were so many encounters; `times` gets when each was."""
    authorized = {"Authorization": f"Bearer {token()}"}
    single = authorized | {"Content-Type": "application/hl7-v2"}
    batch = authorized | {"Content-Type": "application/hl7-v2-batch"}
    messages: list[bytes] = []
    started: set[str] = set()
    for each in stream(encounters, seed=random.randrange(10**6), start=_BEGUN):
        visit = each.occurrence.encounter
        if visit and visit.number not in started and len(started) == encounters:
            continue
        if visit:
            started.add(visit.number)
            times[visit.number] = each.occurrence.at
        messages.append(each.content)
    for message in random.sample(messages, len(messages) // _SINGLY):
        yield Posting(_HL7, message, single, taken=1)
    for several in batches(random, shuffled(random, messages, 2), _AT_ONCE):
        yield Posting(_HL7, b"".join(several), batch, taken=len(several))


def _of_his(random: Random, encounters: int, times: dict[str, datetime]) -> Iterable[Posting]:
    """The payloads and webhooks about so many stays."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token(WRITE_HIS)}"}
    hospital = HospitalOfHis("1", MAIN.name)
    for each in simulate(random, encounters, hospital, _BEGUN, webhooks=True):
        if each.is_webhook:
            yield Posting(WEBHOOK, each.body, signed_headers(each.body))
            times[json.loads(each.body)["visit_id"]] = each.at
        else:
            yield Posting(PATIENT_DATA, each.body, headers)


def _of_others(random: Random, times: dict[str, datetime], key: str) -> Iterable[Posting]:
    """Integration events about all of these encounters: up to two of each."""
    headers = {"Content-Type": "application/json", "X-API-Key": key}
    events = [
        _event(encounter, code, at + timedelta(minutes=random.randint(-90, 90)))
        for encounter, at in sorted(times.items())
        for code in random.sample(_CODES, random.randint(0, 2))
    ]
    for event in random.sample(events, len(events) // _SINGLY):
        yield Posting(_EVENTS, raw_of(event), headers)
    for several in batches(random, shuffled(random, events, 2), _AT_ONCE):
        yield Posting(f"{_EVENTS}bulk_create/", raw_of({"events": several}), headers)


def _event(encounter: str, code: str, at: datetime) -> dict[str, Any]:
    return {
        "source_system": "his",
        "event_code": code,
        "encounter_id": encounter,
        "event_id": f"{encounter}-{code}",
        "payload_json": {"timestamp": at.isoformat()},
    }

"""The generated stream: the same each time, accepted by our own rules, and no patient does the impossible."""

import unicodedata
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import hl7
import pytest

from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.clock import new_uuid
from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.framing import END, START
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.simulate.hospital.people import nhs_number, nhs_numbers
from dhos_connector_api.simulate.hospital.stream import Simulated, stream
from dhos_connector_api.site.model import Site

START_AT = datetime(2026, 1, 1, 8, tzinfo=UTC)
SEEDS = range(8)


def generated(seed: int, patients: int = 150) -> list[Simulated]:
    return list(stream(patients, seed=seed, start=START_AT))


def test_the_same_arguments_give_the_same_bytes_and_others_give_other_patients() -> None:
    first, again, other = (b"".join(each.content for each in generated(seed, 30)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    one, two = generated(1, 30), generated(2, 30)
    assert not {each.control_id for each in one} & {each.control_id for each in two}
    assert not {each.occurrence.person.mrn for each in one} & {each.occurrence.person.mrn for each in two}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_message_is_accepted_by_our_own_rules_and_read_alike_by_python_hl7(seed: int) -> None:
    site = Site()
    for each in generated(seed):
        message = read(each.content)
        assert (rules.judge(message, site.inbound), message.defects) == (rules.ACCEPTED, frozenset())
        assert START not in each.content
        assert END not in each.content
        other = hl7.parse(each.content.decode())
        assert [str(segment[0]) for segment in other] == [segment.name for segment in message.segments()]
        assert str(other.segment("MSH")(10)) == message.control_id == each.control_id
        names = message.all("PID")[0].value(5), message.all("PID")[0].value(5, 2)
        assert names == (each.occurrence.person.family, each.occurrence.person.given)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_in_the_order_of_time_under_control_ids_of_its_own(seed: int) -> None:
    found = generated(seed)
    assert [each.occurrence.at for each in found] == sorted(each.occurrence.at for each in found)
    assert len({each.control_id for each in found}) == len(found)
    assert [each.arrived for each in found] == sorted(each.arrived for each in found)
    assert max(len(each.control_id) for each in found) <= 20


def test_everything_that_was_promised_happens_in_several_alphabets() -> None:
    found = generated(1, 600)
    happened = Counter(each.occurrence.trigger for each in found)
    assert set(happened) == {"A01", "A02", "A03", "A04", "A08", "A11", "A12", "A13", "A28", "A31", "A40"}
    families = {each.occurrence.person.family for each in found}
    scripts = {unicodedata.name(family[0]).split()[0] for family in families}
    assert scripts >= {"LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "BENGALI", "CJK"}


class Ward:
    """What a receiver knows of a hospital, by the messages alone; the impossible fails."""

    def __init__(self) -> None:
        self.beds: dict[str, str] = {}  # bed -> visit
        self.places: dict[str, str] = {}  # visit -> place, while it lasts
        self.ended: dict[str, str] = {}  # visit -> where it ended
        self.gone: set[str] = set()  # MRNs that were merged into others
        self.owners: defaultdict[str, set[str]] = defaultdict(set)  # visit -> MRNs

    def hear(self, message: Message) -> None:
        pid, pv1 = message.all("PID")[0], message.first("PV1")
        mrn = pid.value(3)
        assert mrn not in self.gone, "a record that was merged is used again"
        if (mrg := message.first("MRG")) is not None:
            self.gone.add(mrg.value(1))
            for owners in self.owners.values():
                if mrg.value(1) in owners:
                    owners.add(mrn)
        if pv1 is None or not (visit := pv1.value(19)):
            return
        assert not self.owners[visit] or mrn in self.owners[visit], "the visit is somebody else's"
        self.owners[visit].add(mrn)
        self._moves(message.trigger, visit, pv1.raw(3), pv1.raw(6), dead=bool(pid.value(29)))

    def _moves(self, trigger: str, visit: str, place: str, previous: str, *, dead: bool) -> None:
        if trigger in {"A01", "A04"}:
            assert visit not in self.places | self.ended
        elif trigger == "A13":
            assert self.ended.pop(visit) == place
        elif trigger == "A02":
            assert self.places[visit] == previous != place
        elif trigger != "A12":
            assert self.places[visit] == place
        self.places[visit] = place
        if trigger in {"A03", "A11"}:
            self.ended[visit] = self.places.pop(visit)
        assert not dead or trigger == "A03"
        taken = [where for where in self.places.values() if "BED" in where]
        assert len(taken) == len(set(taken)), "two patients in one bed"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_patient_does_the_impossible(seed: int) -> None:
    ward = Ward()
    for each in generated(seed):
        ward.hear(read(each.content))
    assert ward.places == {}, "everybody went home in the end"
    assert ward.gone


def test_an_admission_becomes_everything_consumers_need() -> None:
    admission = next(each for each in generated(1) if each.occurrence.trigger == "A01")
    uuid = new_uuid(START_AT)
    (envelope,) = extract(
        read(admission.content), site=Site(), zone=UTC, message_uuid=uuid, correlation_id="r"
    )
    for name in ("process_patient", "process_location", "process_encounter", "process_event"):
        assert name.encode() in envelope.body


def test_times_keep_the_offset_they_start_with() -> None:
    start = START_AT.astimezone(timezone(timedelta(hours=1)))
    (first,) = islice(stream(1, seed=1, start=start), 1)
    assert b"|20260101090000+0100||ADT" in first.content


def test_nhs_numbers_have_their_check_digit_and_come_once() -> None:
    assert nhs_number("943476591") == "9434765919"
    found = list(islice(nhs_numbers(987_654_321), 20_000))
    assert len(set(found)) == len(found)
    for number in found[:2000]:
        assert number.startswith("999")
        total = sum(int(digit) * weight for digit, weight in zip(number[:9], range(10, 1, -1), strict=True))
        assert (total + int(number[9])) % 11 == 0
    without = [number for number in range(1000) if nhs_number(f"999{number:06}") is None]
    assert 50 < len(without) < 150

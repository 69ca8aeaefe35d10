"""Which repetition names a person, and what of a text cannot be read by anybody."""

from typing import Any

import pytest

from dhos_connector_api.actions.hl7.facts import facts
from dhos_connector_api.actions.readable import readable
from dhos_connector_api.site.model import Site
from tests.builders.envelopes import LONDON, only
from tests.builders.hl7 import adt_message


def actions(**overrides: Any) -> dict[str, Any]:
    return only(adt_message("A01", **overrides))


@pytest.mark.parametrize(
    ("pid_5", "last", "first"),
    [
        ("SMITH^JANE", "SMITH", "JANE"),
        ("JONES^JANE^^^^^M~SMITH^JANE^^^^^L", "SMITH", "JANE"),
        ("^^^^^^L~SMITH^JANE^^^^^D", "SMITH", "JANE"),
        ('""~SMITH^JANE', "SMITH", "JANE"),
        ("~~SMITH^JANE^^^^^N", "SMITH", "JANE"),
        ("A^B^^^^^l~C^D^^^^^L", "A", "B"),
        ("^JANE~SMITH", None, "JANE"),
        ("~", None, None),
        ('""', None, None),
    ],
)
def test_the_legal_name_else_the_first_there_is(pid_5: str, last: str | None, first: str | None) -> None:
    patient = actions(PID_5=pid_5)["process_patient"]
    assert (patient.get("last_name"), patient.get("first_name")) == (last, first)


@pytest.mark.parametrize(
    ("pv1_7", "id_", "family"),
    [
        ("~D2^BROWN^A", "D2", "BROWN"),
        ("D1^GREEN^A^^^^^^^D~D2^BROWN^A^^^^^^^L", "D2", "BROWN"),
        ("D1^GREEN^A~D2^BROWN^A", "D1", "GREEN"),
    ],
)
def test_the_doctor_likewise(pv1_7: str, id_: str, family: str) -> None:
    physician = actions(PV1_7=pv1_7)["process_event"]["physician"]
    assert (physician["id"], physician["family_name"]) == (id_, family)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("O'Hara", "O'Hara"),
        ("AN\tNE\r\n", "AN NE"),
        ("AN\x00\x1b\x85NE", "AN NE"),
        ("Nguy\ue5e5ễn", "Nguyễn"),
        ("\uf8ffJosé\U000f0000", "José"),
        ("\ufeffZoë", "Zoë"),
        ("A\u2028B", "A B"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("न्\u200dय", "न्\u200dय"),
        ("\u00a0Anna\u00a0Maria", "Anna\u00a0Maria"),
        ("\ue000\x07", ""),
    ],
)
def test_what_nobody_can_read_is_not_shown(text: str, seen: str) -> None:
    assert readable(text) == seen


def test_no_field_publishes_it() -> None:
    found = actions(
        PID_5="SM\x07ITH\ue000^JA\\X09\\NE",
        PID_13="0123\x1f4\ue0005",
        PV1_3="W\\.br\\1^B\uf8ff1",
        PV1_19="V\x021",
    )
    assert found["process_patient"]["last_name"] == "SM ITH"
    assert found["process_patient"]["first_name"] == "JA NE"
    assert found["process_event"]["contact"]["phone"] == "0123 45"
    assert found["process_event"]["location"]["epr_ward_code"] == "W 1"
    assert found["process_event"]["location"]["epr_bay_code"] == "B1"
    assert found["process_encounter"]["epr_encounter_id"] == "V 1"


def test_it_is_found_as_it_is_published() -> None:
    received = adt_message("A01", PV1_19="V\x021\ue000")
    assert ("Visit ID", "V 1") in facts(received, Site(), LONDON).identifiers
    assert only(received)["process_event"]["encounter_id"] == "V 1"


def test_nothing_is_left_of_a_field_of_nothing_else() -> None:
    found = actions(PID_5="\ue000^\x07", PV1_19="\uf8ff")
    assert not {"first_name", "last_name"} & set(found["process_patient"])
    assert found["process_event"]["encounter_id"] is None

"""The id of an encounter by the fields the site names: alike in encounter, event, `previous` and index."""

from typing import Any

import pytest

from dhos_connector_api.actions.hl7 import visits
from dhos_connector_api.actions.hl7.facts import facts
from dhos_connector_api.errors import BadSite
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import LONGEST_SEGMENT, Code, judge
from dhos_connector_api.site.model import ENCOUNTER_IDS, Inbound, Site
from dhos_connector_api.site.schema import parse
from tests.builders.envelopes import LONDON, actions, envelopes, only
from tests.builders.hl7 import adt_message, merge

EVERYWHERE: dict[str, Any] = {
    "PV1_19": "V1^^^RTH^VN",
    "PID_18": "A1^^^RTH^AN",
    "PV1_50": "X1",
    "ZBE_1": "Z1^RTH",
}


def site(*places: str) -> Site:
    return Site(inbound=Inbound(encounter_ids=places))


def in_index(received: Message, of: Site) -> list[str]:
    return [value for kind, value in facts(received, of, LONDON).identifiers if kind == "Visit ID"]


def told(received: Message, of: Site) -> tuple[str | None, str | None]:
    """The encounter's id, now and before, as the event says it; all others have to say the same."""
    found = only(received, site=of)
    event = found["process_event"]
    now, before = event["encounter_id"], event.get("previous", {}).get("encounter_id")
    if encounter := found.get("process_encounter"):
        assert (encounter["epr_encounter_id"], encounter.get("parent_encounter_id")) == (now, before)
    assert in_index(received, of) == [each for each in (now, before) if each]
    return now, before


def test_the_names_in_the_site_file_are_those_that_can_be_read() -> None:
    assert tuple(visits._PLACES) == ENCOUNTER_IDS


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ((), "V1"),
        (("PV1-19",), "V1"),
        (("PID-18",), "A1"),
        (("PV1-50",), "X1"),
        (("ZBE-1",), "Z1"),
        (("ZBE-1", "PV1-19"), "Z1"),
    ],
)
def test_the_field_the_site_names_is_the_encounters_id(places: tuple[str, ...], expected: str) -> None:
    of = site(*places) if places else Site()
    for trigger in ("A01", "A02", "A03"):
        received = adt_message(trigger, **EVERYWHERE)
        assert told(received, of) == (expected, None)
        assert only(received, site=of)["process_encounter"]["epr_encounter_id"] == expected


@pytest.mark.parametrize("nothing", ["", '""', "^^^RTH^VN"])
def test_where_the_preferred_field_is_empty_the_next_one_is_read(nothing: str) -> None:
    received = adt_message(PV1_19=nothing, PID_18="A1", PV1_50="X1")
    assert told(received, site("PV1-19", "PV1-50", "PID-18")) == ("X1", None)
    assert told(received, site("ZBE-1", "PID-18")) == ("A1", None)
    assert told(received, Site()) == (None, None)
    assert "process_encounter" not in only(received)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (("PV1-19",), ("V1", "V0")),
        (("PID-18",), ("A1", "A0")),
        (("PV1-50",), ("X1", "X0")),
        (("ZBE-1",), ("Z1", None)),
        (("PID-18", "PV1-19"), ("A1", "A0")),
    ],
)
@pytest.mark.parametrize("trigger", ["A35", "A50", "A44"])
def test_what_it_was_before_is_the_field_of_mrg_that_belongs_to_it(
    trigger: str, places: tuple[str, ...], expected: tuple[str, str | None]
) -> None:
    received = adt_message(
        trigger, **EVERYWHERE, MRG_1="OLD^^^^MRN", MRG_3="A0^^^RTH^AN", MRG_5="V0", MRG_6="X0"
    )
    assert told(received, site(*places)) == expected


def test_an_account_number_never_becomes_a_visit_number() -> None:
    received = adt_message("A44", PV1_19="V1", PID_18="A1", MRG_1="OLD^^^^MRN", MRG_3="A0")
    assert told(received, site("PV1-19", "PID-18")) == ("V1", None)


def test_a_move_without_any_id_names_the_prior_one_there_is() -> None:
    received = read(merge("A44", MRG_3="A0"))
    assert told(received, site("PV1-19", "ZBE-1", "PID-18")) == (None, "A0")


def test_every_group_of_a_merge_has_its_own() -> None:
    second = ["PID|2||22^^^^MRN|||||||||||||||A2", "MRG|21^^^^MRN||A02", "PV1|2|I||||||||||||||||"]
    received = read(merge("A40", PID_18="A1", MRG_3="A01", more=second))
    of = site("PID-18")
    events = [actions(each)["process_event"] for each in envelopes(received, site=of)]
    assert [each["encounter_id"] for each in events] == ["A1", "A2"]
    assert [each["previous"]["encounter_id"] for each in events] == ["A01", "A02"]
    assert sorted(in_index(received, of)) == ["A01", "A02", "A1", "A2"]


def test_a_message_without_a_patient_has_its_encounter_too() -> None:
    received = adt_message(
        MSH_9="ORU^R01", PID=None, **{k: v for k, v in EVERYWHERE.items() if k != "PID_18"}
    )
    for place, expected in (("PV1-19", "V1"), ("PV1-50", "X1"), ("ZBE-1", "Z1")):
        assert told(received, site(place)) == (expected, None)


def test_every_visit_is_found_also_one_that_is_no_patients() -> None:
    received = adt_message(PV1_19="V1", more=["PV1|2|I|||||||||||||||||V2"])
    assert in_index(received, Site()) == ["V1", "V2"]


def test_a_movement_too_long_to_publish_is_refused() -> None:
    of = site("ZBE-1")
    assert judge(adt_message(ZBE_1="Z" * 100), of.inbound).code is Code.AA
    assert judge(adt_message(ZBE_1="Z" * 500_001), of.inbound).code is Code.AE
    assert in_index(adt_message(PV1_19="", ZBE_1="Z" * LONGEST_SEGMENT), of) == []


@pytest.mark.parametrize("places", [[], ["PV1-19", "PV1-19"], ["PV1-20"], "PV1-19", [19]])
def test_what_is_no_list_of_these_fields_is_refused(places: Any) -> None:
    with pytest.raises(BadSite, match=r"inbound\.encounter_ids"):
        parse({"inbound": {"encounter_ids": places}})
    assert parse({"inbound": {"encounter_ids": ["ZBE-1", "PV1-19"]}}).inbound.encounter_ids == (
        "ZBE-1",
        "PV1-19",
    )


def test_the_default_reads_the_visit_number_alone() -> None:
    assert Inbound().encounter_ids == ("PV1-19",)

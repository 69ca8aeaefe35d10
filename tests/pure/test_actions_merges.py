"""Merges: which old identifier is found under which surviving one."""

from typing import Any

import pytest

from dhos_connector_api.actions.hl7.merges import Merge, merges
from dhos_connector_api.hl7v2.groups import PATIENT_MERGES
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.site.model import ALL_ADT_TRIGGERS, Site
from tests.builders.hl7 import merge


def found(trigger: str = "A40", **overrides: Any) -> list[Merge]:
    return merges(read(merge(trigger, **overrides)), Site())


@pytest.mark.parametrize("trigger", ["A18", "A30", "A34", "A36", "A39", "A40", "A47"])
def test_a_patient_merge_names_the_old_and_the_surviving_identifier(trigger: str) -> None:
    assert found(trigger, mrn="NEW", old_mrn="OLD") == [("MRN", "OLD", "NEW")]


@pytest.mark.parametrize("trigger", sorted(ALL_ADT_TRIGGERS - PATIENT_MERGES))
def test_no_other_message_merges(trigger: str) -> None:
    assert found(trigger, mrn="NEW", old_mrn="OLD") == []


def test_another_message_type_does_not_merge() -> None:
    assert found(MSH_9="ZDT^A40") == []


def test_each_type_is_merged_into_its_own() -> None:
    merged = found(mrn="NEW", nhs_number="9434765870", MRG_1="OLD^^^X^MRN~943 476 5919^^^NHS~77^^^X^SS")
    assert set(merged) == {("MRN", "OLD", "NEW"), ("NHS number", "9434765919", "9434765870")}


def test_an_identifier_is_not_merged_into_itself() -> None:
    assert found(mrn="SAME", old_mrn="SAME") == []


def test_an_old_identifier_without_one_of_its_type_to_survive_it_is_not_merged() -> None:
    assert found(mrn="NEW", nhs_number="", MRG_1="9434765919^^^NHS") == []


def test_the_surviving_identifier_is_of_the_same_authority_where_there_is_one() -> None:
    merged = found(PID_3="N1^^^NORTH^MRN~S1^^^SOUTH^MRN", MRG_1="S0^^^south^MRN~E0^^^EAST^MRN")
    assert merged == [("MRN", "S0", "S1"), ("MRN", "E0", "N1")]


def test_every_group_is_merged() -> None:
    more = ["PID|2||B2^^^X^MRN", "MRG|B1^^^X^MRN"]
    assert found(mrn="A2", old_mrn="A1", more=more) == [("MRN", "A1", "A2"), ("MRN", "B1", "B2")]


def test_a_merge_without_mrg_merges_nothing() -> None:
    assert found(MRG=None) == []


def test_groups_that_share_a_patient_are_merged_into_it() -> None:
    assert found("A40", mrn="NEW", old_mrn="O1", more=["MRG|O2^^^X^MRN"]) == [
        ("MRN", "O1", "NEW"),
        ("MRN", "O2", "NEW"),
    ]

"""Which events fit the trigger of a stage."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dhos_connector_api.px.journeys.triggers import fits, fitting, folded


@pytest.mark.parametrize(
    ("trigger", "code"),
    [
        ("LAB_ORDER_COMPLETED", "LAB_ORDER_COMPLETED"),
        (" lab_order_completed\t", "LAB_ORDER_COMPLETED"),
        ("Doctor Visited", "DOCTOR_VISITED"),
        ("ChiefComplaint", "CHIEF-COMPLAINT"),
        ("Prescribed  Drugs", "prescribed drugs"),
        ("Clinical Condition", "Clinical Condtion"),
        ("CLINICAL_CONDTION", "ClinicalCondition"),
        ("A03", "ADT_A03"),
        ("adt_a03", "ADT_A03"),
        ("ADT-A03", "ADT_A03"),
        ("A01|A04", "ADT_A04"),
        (" A01 | Consultation ", "CONSULTATION"),
        ("A01\uff5cA04", "ADT_A04"),
        ("\uff2c\uff21\uff22", "lab"),
        ("STRASSE", "straße"),
        ("زيارة الطبيب", "زيارة_الطبيب"),
        ("\u200fزيارة الطبيب\u200f", "زيارة الطبيب"),
        ("ﺯﻳﺎﺭﺓ", "زيارة"),
        ("خروج|دخول", "دخول"),
        ("診察", "診 察"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_codes_fit_however_they_are_written(trigger: str, code: str) -> None:
    assert fits(trigger, code, None)
    assert fits(trigger, "ELSE", code)


@pytest.mark.parametrize(
    ("trigger", "code", "source_code"),
    [
        ("LAB", "LAB_ORDER", None),
        ("LAB_ORDER", "LAB", None),
        ("A03", "ADT_A04", None),
        ("ADT_A03", "A03", None),  # a source's own A03 is nobody's discharge
        ("A03", "LAB_A03", None),
        ("A03", "ADT_A031", None),
        ("", "", None),
        ("", "LAB", ""),
        (" | _-", "", "-"),
        ("|LAB", "", None),
        ("LAB", "ELSE", "OTHER"),
    ],
)
def test_other_codes_fit_not(trigger: str, code: str, source_code: str | None) -> None:
    assert not fits(trigger, code, source_code)


def test_the_places_of_triggers_are_those_that_fit() -> None:
    assert fitting(("LAB", "A01|LAB", "XRAY"), "lab", None) == (0, 1)


@given(st.text(max_size=12))
@hypothesis_settings(max_examples=500)
def test_folding_what_is_folded_changes_nothing(code: str) -> None:
    assert folded(folded(code)) == folded(code)


@given(st.text(max_size=12).filter(lambda text: folded(text) and "|" not in folded(text)))
@hypothesis_settings(max_examples=300)
def test_every_code_fits_itself_with_blanks_and_beside_others(code: str) -> None:
    assert fits(f"ELSE | _{code}- ", code, None)

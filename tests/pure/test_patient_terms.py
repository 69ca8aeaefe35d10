"""A text searched for is read as each thing it may be: identifier, names, address, telephone number."""

import pytest

from dhos_connector_api.px.organizations.patient_terms import backwards, terms


@pytest.mark.parametrize(
    "spelling",
    [
        "+971501234567",
        "00971 50 123 4567",
        "0501234567",
        "050-123 45 67",
        "(050) 123.4567",
        "٠٥٠١٢٣٤٥٦٧",
        "+971 (0)50 1234567",
        "1234567",
    ],
)
def test_every_spelling_of_a_number_is_an_end_of_it(spelling: str) -> None:
    end = terms(spelling).phone_end
    assert end is not None
    assert backwards("+971501234567").startswith(backwards(end))


@pytest.mark.parametrize("text", ["12345", "MRN-1234567", "Ali", "", "0", "+", "a@b.example"])
def test_what_is_short_or_no_number_asks_for_no_telephone(text: str) -> None:
    assert terms(text).phone_end is None


def test_an_address_is_compared_in_lower_case_and_a_name_is_none() -> None:
    assert terms(" Ali@Example.org ").email == "ali@example.org"
    assert terms("Ali").email is None


def test_signs_alone_ask_for_no_name() -> None:
    assert terms("& | !").names is None
    assert terms("O'Brien & al").names == "'obrien':* & 'al':*"

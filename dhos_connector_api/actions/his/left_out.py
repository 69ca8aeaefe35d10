"""What the events of a HIS payload, webhook or integration event leave out, and why (pure)."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from dhos_connector_api.actions.his.births import bad_births
from dhos_connector_api.actions.his.names import GENDERS, read_flag
from dhos_connector_api.actions.left_out import DATA_TYPE, NOT_IN_TABLE, LeftOut
from dhos_connector_api.hl7v2.identifier_values import plain

_NO_IDENTIFIER = "is no identifier: a word, zeros or marks that stand for none"
_FILLER = "is a day that stands for no date"
_BIRTH = "is no date of birth from 1850 to tomorrow"
#: Words for a sex that is not known: nothing is lost then.
_NO_SEX = frozenset({"U", "UNK", "UNKNOWN", "0", "9"})


def of_stay(entry: Mapping[str, Any], place: str, *, is_born: bool, has_left: bool) -> Iterator[LeftOut]:
    """Return what of an entry of a payload nothing is told of; `place` is that of the entry.

    `is_born` and `has_left`: a date of birth, and of discharge, could be read.
    """
    given = {
        name: text for name, value in entry.items() if value is not None and (text := str(value).strip())
    }
    if "DOB" in given and not is_born:
        yield LeftOut(DATA_TYPE, f"{place}.DOB", _BIRTH)
    if "DischargeDate" in given and not has_left:
        yield LeftOut(DATA_TYPE, f"{place}.DischargeDate", _FILLER)
    if not plain(given.get("PatientID", "")):
        yield LeftOut(DATA_TYPE, f"{place}.PatientID", _NO_IDENTIFIER)
    sex = given.get("Gender", "U").upper()
    if sex not in GENDERS and sex not in _NO_SEX:
        yield LeftOut(NOT_IN_TABLE, f"{place}.Gender", "is no sex we can tell: it is sent on as unknown")
    if "IsVIP" in given and read_flag(given["IsVIP"]) is None:
        yield LeftOut(NOT_IN_TABLE, f"{place}.IsVIP", "is neither yes nor no")


def of_data(data: Mapping[str, Any], place: str, today: date) -> list[LeftOut]:
    """Return the dates of birth that are not told of the data of a webhook or integration event."""
    return [LeftOut(DATA_TYPE, f"{place}.{name}", _BIRTH) for name in bad_births(data, today)]


def of_identifier(value: str | None, place: str) -> list[LeftOut]:
    """Return that a patient's identifier is none, where that is so."""
    return [LeftOut(DATA_TYPE, place, _NO_IDENTIFIER)] if value and not plain(value) else []

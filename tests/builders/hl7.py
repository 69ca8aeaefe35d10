"""Invented HL7 v2 messages for tests: every call gives a fresh control id, a later time and a fresh patient.

adt()                                    an admission, as bytes
adt("A03", family="O'Hara", ward="W9")   by name
adt("A01", PV1_44="", PID_7="1982")      any field as raw text, by its HL7 number
adt("A31", PV1=None)                     without a segment
adt(MSH_18="8859/1", codec="latin-1", line_end="\\r\\n")
merge("A40", mrn="NEW", old_mrn="OLD")   PID + MRG
two_patients("A24")                      two PID
message("MSH|...", "PID|...")            segments as given
adt_message(...)                         adt(...), read
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from dhos_connector_api.hl7v2.read import Message, read
from tests.builders.numbers import NhsNumbers

#: A fixed aware moment, for functions that are given the time.
NOW = datetime(2024, 3, 18, 9, 15, 3, 250_000, tzinfo=UTC)
_BEGINNING = datetime(2024, 1, 15, 8, 0, tzinfo=UTC)
_numbers = count(1)
_nhs_numbers = NhsNumbers()

Fields = dict[int, str]

_USUAL = {
    "version": "2.3",
    "family": "SMITH",
    "given": "JANE",
    "birth": "19820305",
    "sex": "F",
    "died": "",
    "encounter_class": "INPATIENT",
    "ward": "WARD7",
    "bay": "BAY2",
    "bed": "BED3",
    "discharged": "",
}


def message(*segments: str, codec: str = "utf-8", line_end: str = "\r") -> bytes:
    """The segments as one message, each ended by `line_end`."""
    return "".join(segment + line_end for segment in segments).encode(codec)


def segment(name: str, fields: Fields) -> str:
    """One segment with its fields by number; MSH has `|^~\\&` unless field 2 says else."""
    if name == "MSH":
        fields = {number - 1: text for number, text in ({2: "^~\\&"} | fields).items()}
    last = max(fields, default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def adt(trigger: str = "A01", *, codec: str = "utf-8", line_end: str = "\r", **overrides: Any) -> bytes:
    """An ADT message: see the module's first lines. `more=[...]` appends whole segments."""
    return message(*adt_segments(trigger, **overrides), codec=codec, line_end=line_end)


def adt_message(trigger: str = "A01", **overrides: Any) -> Message:
    """An ADT message, read."""
    return read(adt(trigger, **overrides))


def merge(trigger: str = "A40", *, old_mrn: str = "OLD1", **overrides: Any) -> bytes:
    """A merge: `mrn` survives, `old_mrn` is given up. Further fields of MRG as `MRG_5=...`."""
    return adt(trigger, **{"MRG_1": f"{old_mrn}^^^NOC-MRN^MRN", "PV1": None} | overrides)


def two_patients(trigger: str = "A24", **overrides: Any) -> bytes:
    """A message about two patients, each with PID and PV1 (A17 swap, A24 link, A37 unlink)."""
    second = [line for line in adt_segments(trigger) if line[:3] in {"PID", "PV1"}]
    return adt(trigger, **{"more": second} | overrides)


def adt_segments(trigger: str = "A01", *, more: Iterable[str] = (), **overrides: Any) -> list[str]:
    """The segments of `adt` as text, in order."""
    number = next(_numbers)
    named = {name: overrides.pop(name) for name in list(overrides) if name.islower()}
    parts = _parts(trigger, number, named)
    for name, value in overrides.items():
        segment_name, _, field = name.partition("_")
        if field:
            parts.setdefault(segment_name, {})[int(field)] = value
        elif value is None:
            parts.pop(segment_name, None)
        else:
            raise TypeError(f"{name}: only None takes a segment away; name a field, as in {name}_3")
    return [segment(name, fields) for name, fields in parts.items()] + list(more)


def _parts(trigger: str, number: int, named: dict[str, str]) -> dict[str, Fields]:
    """The segments' fields before single fields are overridden."""
    stamp = f"{_BEGINNING + timedelta(seconds=number):%Y%m%d%H%M%S}"
    fresh = {
        "control_id": f"TEST{number:08}",
        "mrn": f"{1_000_000 + number}",
        "nhs_number": next(_nhs_numbers),
        "visit": f"V{number:07}",
        "admitted": stamp,
    }
    if unknown := named.keys() - _USUAL.keys() - fresh.keys():
        raise TypeError(f"adt() knows no {', '.join(sorted(unknown))}")
    given = _USUAL | fresh | named
    header = {3: "CERNER", 4: "OXON", 5: "TIE", 6: "DHOS", 7: stamp, 9: f"ADT^{trigger}"}
    return {
        "MSH": header | {10: given["control_id"], 11: "P", 12: given["version"]},
        "EVN": {1: trigger, 2: stamp},
        "PID": _pid(given),
        "PV1": _pv1(given),
    }


def _pid(given: dict[str, str]) -> Fields:
    identifiers = (f"{given['mrn']}^^^NOC-MRN^MRN", f"{given['nhs_number']}^^^NHS^NHSNBR")
    fields = {
        1: "1",
        3: "~".join(one for one in identifiers if not one.startswith("^")),
        5: f"{given['family']}^{given['given']}",
        7: given["birth"],
        8: given["sex"],
        11: "1 High Street^^OXFORD^^OX1 1AA",
        29: given["died"],
    }
    return {number: text for number, text in fields.items() if text}


def _pv1(given: dict[str, str]) -> Fields:
    location = "^".join((given["ward"], given["bay"], given["bed"])).rstrip("^")
    fields = {
        1: "1",
        2: given["encounter_class"],
        3: location,
        7: "C1234567^DOE^JOHN",
        19: given["visit"],
        44: given["admitted"],
        45: given["discharged"],
    }
    return {number: text for number, text in fields.items() if text}


def many_merges() -> bytes:
    """A small message that is accepted, and brings envelopes of more than a hundred times its size."""
    header, evn, _ = adt("A40").split(b"\r", 2)
    pid = b"PID|1||7001^^^RBH-MRN^MRN||" + b'"' * 2_000 + b"||19800101|F"
    merges = [b"MRG|%d^^^RBH-MRN^MRN" % number for number in range(1, 201)]
    return b"\r".join([header, evn, pid, *merges, b""])

"""What is said of a patient, or a merge, that no identifier tells (AE 101): for people at the other end.

Names of types (CX.5) and authorities (CX.4) that were there are told, and those the site takes; no value is.
"""

import re
from collections.abc import Iterable

from dhos_connector_api.hl7v2.identifier_values import nhs_number, plain
from dhos_connector_api.hl7v2.identifiers import FIELDS, names_of
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment
from dhos_connector_api.hl7v2.terms import IdentifierTable

#: What names a type or an authority: a word of 12 characters without blanks, with two digits at most and no
#: British postcode, or an OID. Anything else may be a value, a name or an address.
_NAME = re.compile(
    r"(?=.{1,12}\Z)(?![A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}\Z)[A-Z][A-Z_./-]*(?:[0-9][A-Z_./-]*){0,2}"
    r"|[0-2](?:\.[0-9]{1,10}){4,20}"
)
#: Kinds of identifier that are told of, and codes of the site's table in a row.
_MOST_KINDS, _MOST_CODES = 4, 6
_UNTYPED = "no type where no MRN that has one stands beside it"


def no_patient_identifier(pid: Segment, table: IdentifierTable) -> str:
    """Return why nothing in PID-3 (nor PID-2) identifies the patient."""
    given = _given(pid)
    if not given:
        return "PID-3 is empty: the patient has no identifier."
    return f"PID-3 has no identifier this site takes. There: {_there(given)}. Taken: {_taken(table)}."


def no_prior_identifier(mrg: Segment, table: IdentifierTable) -> str:
    """Return why nothing in MRG-1 (nor MRG-2) can be paired with an identifier of the patient."""
    given = _given(mrg)
    if not given:
        return "MRG-1 is empty: a merge needs the identifier that is given up."
    return (
        "MRG-1 has no identifier that can be paired with one of PID-3."
        f" There: {_there(given)}. Taken: {_taken(table)}."
    )


def _given(segment: Segment) -> list[Repetition]:
    """The repetitions that have a CX.1."""
    repetitions = [each for field in FIELDS[segment.name] for each in segment.repeated(field)]
    return [each for each in repetitions if each.value().strip() not in {"", DELETE}]


def _there(given: list[Repetition]) -> str:
    """The kinds of identifier that are there, each once."""
    values = {each.value().strip().upper() for each in given}
    kinds = list(dict.fromkeys(_kind(each, values) for each in given))
    more = ["others"] if len(kinds) > _MOST_KINDS else []
    return "; ".join(kinds[:_MOST_KINDS] + more)


def _kind(repetition: Repetition, values: set[str]) -> str:
    name, universal, code = names_of(repetition)
    words = [f"type {_shown(code, values)}" if code else "no type"]
    if name or universal:
        words.append(f"authority {_shown((name or universal).upper(), values)}")
    value = plain(repetition.value())
    if not value:
        words.append("no usable value")
    elif not nhs_number(value) and {name.upper(), universal.upper(), code} & {"NHS", "NHSNBR", "NHSNMBR"}:
        words.append("no NHS number by its digits")
    return " ".join(words[:1]) + "".join(f", {word}" for word in words[1:])


def _shown(name: str, values: set[str]) -> str:
    return name if name not in values and _NAME.fullmatch(name) else "not shown"


def _taken(table: IdentifierTable) -> str:
    """What the site takes, in the words of its table."""
    nhs = [_listed("authority", table.nhs_authorities), _listed("type", table.nhs_types)]
    mrn = [_listed("authority", table.mrn_authorities), _listed("type", table.mrn_types)]
    mrn.append(_UNTYPED if table.untyped_is_mrn or table.mrn_first_repetition else "")
    return f"NHS number by {_either(nhs)}; MRN by {_either(mrn)} (site file, inbound.identifiers)"


def _listed(what: str, codes: Iterable[str]) -> str:
    names = sorted(codes, key=lambda code: (not code[:1].isalpha(), code))
    more = [" ..."] if len(names) > _MOST_CODES else []
    return " ".join([what, ", ".join(names[:_MOST_CODES]), *more]) if names else ""


def _either(ways: list[str]) -> str:
    return " or ".join(way for way in ways if way) or "nothing"

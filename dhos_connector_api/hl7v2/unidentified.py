"""What is said of a patient, or a merge, that no identifier tells (AE 101): for people at the other end.

Names of types (CX.5) and authorities (CX.4) that were there are told, and those the site takes; no value is,
and nothing of a repetition that is no CX: senders put names and addresses there.
"""

import re
from collections.abc import Iterable

from dhos_connector_api.hl7v2.identifier_values import nhs_number, plain
from dhos_connector_api.hl7v2.identifiers import FIELDS, capitals, names_of
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment
from dhos_connector_api.hl7v2.terms import IdentifierTable

#: What names a type or an authority: a word of 12 characters without blanks, with two digits at most and no
#: British postcode, or an OID. Anything else may be a value, a name or an address.
_NAME = re.compile(
    r"(?=.{1,12}\Z)(?![A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}\Z)[A-Z][A-Z_./-]*(?:[0-9][A-Z_./-]*){0,2}"
    r"|[0-2](?:\.[0-9]{1,10}){4,20}"
)
#: A check digit and the code of its scheme (CX.2, CX.3; table 0061) are no longer: a name or a city may be.
_LONGEST_CHECK = {2: 2, 3: 4}
#: Where a segment has people's names and addresses: no word of theirs is told, wherever else it stands.
_PEOPLE = {"PID": (4, 5, 6, 9, 11), "MRG": (4, 7)}
_WORD = re.compile(r"[^\W\d_]{2,}")
_LONG_WORD = re.compile(r"[^\W\d_]{3,}")  # within a name: shorter ones are of regions too
#: Kinds of identifier that are told of, and codes of the site's table in a row.
_MOST_KINDS, _MOST_CODES = 4, 6
_UNTYPED = "no type where no MRN that has one stands beside it"


def no_patient_identifier(pid: Segment, table: IdentifierTable) -> str:
    """Return why nothing in PID-3 (nor PID-2) identifies the patient."""
    given = _given(pid)
    if not given:
        return "PID-3 is empty: the patient has no identifier."
    there = _there([pid], given, table)
    return f"PID-3 has no identifier this site takes. There: {there}. Taken: {_taken(table)}."


def no_prior_identifier(mrg: Segment, pid: Segment, table: IdentifierTable) -> str:
    """Return why nothing in MRG-1 (nor MRG-2) can be paired with an identifier of the patient, that PID's."""
    given = _given(mrg)
    if not given:
        return "MRG-1 is empty: a merge needs the identifier that is given up."
    return (
        "MRG-1 has no identifier that can be paired with one of PID-3."
        f" There: {_there([mrg, pid], given, table)}. Taken: {_taken(table)}."
    )


def _given(segment: Segment) -> list[Repetition]:
    """The repetitions that have a CX.1."""
    repetitions = [each for field in FIELDS[segment.name] for each in segment.repeated(field)]
    return [each for each in repetitions if each.value().strip() not in {"", DELETE}]


def _there(segments: list[Segment], given: list[Repetition], table: IdentifierTable) -> str:
    """The kinds of identifier that are there, each once."""
    hidden = {each.value().strip().upper() for each in given} | _words_of_people(segments, table)
    kinds = list(dict.fromkeys(_kind(each, hidden) for each in given))
    more = ["others"] if len(kinds) > _MOST_KINDS else []
    return "; ".join(kinds[:_MOST_KINDS] + more)


def _words_of_people(segments: list[Segment], table: IdentifierTable) -> set[str]:
    """The words of names and addresses, without what is a code of the site's too: MR is a title."""
    texts = (segment.raw(field) for segment in segments for field in _PEOPLE[segment.name])
    words = {word.upper() for each in texts for word in _WORD.findall(each)}
    known = (table.nhs_authorities, table.nhs_types, table.mrn_authorities, table.mrn_types)
    return words.difference(*map(capitals, known))


def _kind(repetition: Repetition, hidden: set[str]) -> str:
    name, universal, code = names_of(repetition)
    if any(len(repetition.value(part).strip()) > longest for part, longest in _LONGEST_CHECK.items()):
        return "no identifier by its parts (CX.2, CX.3), not shown"
    words = [f"type {_shown(code, hidden)}" if code else "no type"]
    if name or universal:
        words.append(f"authority {_shown((name or universal).upper(), hidden)}")
    value = plain(repetition.value())
    if not value:
        words.append("no usable value")
    elif not nhs_number(value) and {name.upper(), universal.upper(), code} & {"NHS", "NHSNBR", "NHSNMBR"}:
        words.append("no NHS number by its digits")
    return " ".join(words[:1]) + "".join(f", {word}" for word in words[1:])


def _shown(name: str, hidden: set[str]) -> str:
    words = {name, *_LONG_WORD.findall(name)}
    return name if hidden.isdisjoint(words) and _NAME.fullmatch(name) else "not shown"


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

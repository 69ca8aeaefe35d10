"""The verdict on a message: AA, AE or AR, and why (HL7 v2 chapter 2; tables 0008 and 0357).

`RULES` is the ACK table in the order in which it is applied; the first that objects decides. First
what makes the whole unreadable, then what is refused by the header alone (AR: do not send it again),
then what is wrong inside (AE: send it again when mended). What only the intake knows - duplicates,
our own failures - stands as verdicts of their own at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from dhos_connector_api.hl7v2.births import is_bad
from dhos_connector_api.hl7v2.charsets import unknown_name
from dhos_connector_api.hl7v2.groups import (
    MERGES,
    PATIENT_MERGES,
    SEVERAL_PATIENTS,
    TWO_PATIENTS,
    patient_groups,
)
from dhos_connector_api.hl7v2.identifiers import patient_identifiers
from dhos_connector_api.hl7v2.pairing import Pairing, in_circle, pairing
from dhos_connector_api.hl7v2.read import DELETE, Defect, Message
from dhos_connector_api.hl7v2.segment import MOST_REPETITIONS, Segment
from dhos_connector_api.hl7v2.terms import ALL, Terms
from dhos_connector_api.hl7v2.unidentified import no_patient_identifier, no_prior_identifier

MOST_SEGMENTS = 300  # of PID, MRG and PV1 together: some hundred patients
LONGEST_SEGMENT = 65_536  # characters of each; a real PID has some 500
MOST_REPETITIONS_IN_ALL = 1_000  # of the fields in _REPEATED, in all segments together
_REPEATED = {"PID": (2, 3, 13), "MRG": (1, 2), "PV1": ()}  # read repetition by repetition
#: Characters of all groups' segments, a shared PID counted for each: an envelope has a value three
#: times at most, and JSON six bytes for a character, so that the envelopes have some 10 MB at most.
_LONGEST_GROUPS = 500_000
_LONGEST = {3: 227, 4: 227, 10: 199}  # characters of MSH-3, MSH-4 and MSH-10 (v2.7, chapter 2)
#: Codes of table 0004 (PV1-2) and the words some senders write for them; WAITLIST has no code.
_CLASSES = {"P": "PREADMIT", "R": "RECURRING"}
#: The site's `bad_dates` where they are not refused.
LEAVE_OUT = "leave_out"


class Code(StrEnum):
    """Acknowledgement codes (table 0008): the application's; and C., of enhanced mode's accept level."""

    AA = "AA"
    AE = "AE"
    AR = "AR"
    CA = "CA"
    CE = "CE"
    CR = "CR"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer. `error` is of table 0357; `location` segment^occurrence^field^repetition^component (ERL).

    `text` is for the people at the other end. Of the message it quotes nothing but names of identifiers'
    types and authorities, and of a character set: at most 20 characters that look like one. With AA it says
    what had no effect.
    """

    code: Code
    error: str | None = None
    location: str | None = None
    text: str | None = None


ACCEPTED = Verdict(Code.AA)

_BATCH = Verdict(Code.AR, "207", None, "Batches (FHS, BHS) are not taken. Send each message by itself.")
_SEVERAL = Verdict(Code.AR, "207", "MSH^2", "More than one message in one body. Send each by itself.")
_DELIMITERS = Verdict(
    Code.AE, "102", "MSH^1^2", "The delimiters in MSH-1 and MSH-2 do not tell the parts apart."
)
_TYPE = Verdict(
    Code.AR, "200", "MSH^1^9^1^1", "This message type is not accepted here (site file, inbound.accepted)."
)
_TRIGGER = Verdict(
    Code.AR, "201", "MSH^1^9^1^2", "This trigger event is not accepted here (site file, inbound.accepted)."
)
_PROCESSING = Verdict(
    Code.AR, "202", "MSH^1^11", "This processing id is not accepted here (site file, inbound.processing_ids)."
)
_VERSION = Verdict(
    Code.AR, "203", "MSH^1^12", "This HL7 version is not accepted here (site file, inbound.versions)."
)
_CHARACTERS = Verdict(Code.AE, "102", "MSH^1^18", "The bytes do not fit the character set (MSH-18).")
_NUL = Verdict(Code.AE, "102", None, "The message holds NUL characters.")
_NO_CONTROL_ID = Verdict(Code.AE, "101", "MSH^1^10", "The message control id is missing.")
_LONG_HEADER = Verdict(Code.AE, "102", "MSH^1", "MSH-3, MSH-4 or MSH-10 is longer than HL7 allows.")
_TOO_MUCH = Verdict(
    Code.AE, "207", None, "More patients, repetitions or longer segments than one message may bring."
)
_TOO_MANY_LINES = Verdict(Code.AE, "207", None, "More segments than one message may have.")
_NO_PID = Verdict(Code.AE, "100", "PID^1", "The PID segment is missing.")
_SECOND_PID = Verdict(Code.AE, "100", "PID^2", "There is more than one PID where one belongs.")
_NO_MRG = Verdict(Code.AE, "100", "MRG^1", "A merge needs an MRG segment for each PID.")
_CIRCLE = "The message merges identifiers into each other: nothing says which one is kept."
_NOT_TWO_PID = "A swap, link or unlink needs two PID segments."
_SAME = Verdict(
    Code.AA, None, None, "The prior identifiers are those of the patient already: nothing is merged."
)
_NO_WARD = Verdict(Code.AE, "101", "PV1^1^3", "A transfer needs the ward the patient is moved to.")
_BIRTH = Verdict(
    Code.AE,
    "102",
    "PID^1^7",
    "The date of birth is no date from 1850 to tomorrow (site file, inbound.bad_dates).",
)
_IGNORED = Verdict(
    Code.AE,
    "207",
    "PV1^1^2",
    "Encounters of this class are not taken here (site file, inbound.ignored_encounter_classes).",
)

#: Same sender and control id, other content (only the intake knows).
DUPLICATE = Verdict(
    Code.AR, "205", "MSH^1^10", "Another message with this control id has been received already."
)
#: The same message again, at a site whose duplicate policy is `reject`.
REPEATED = Verdict(Code.AR, "205", "MSH^1^10", "This message has been received already.")
#: We failed at reading or extracting; the message is stored and can be replayed.
OWN_FAILURE = Verdict(
    Code.AE, "207", None, "The message is stored, but could not be read because of a fault here."
)


def judge(message: Message, terms: Terms) -> Verdict:
    """Return the answer by the message and the site's terms alone. Never raises."""
    for rule in RULES:
        objection = rule(message, terms)
        if objection:
            return objection
    return _SAME if _merges_nothing(message, terms) else ACCEPTED


def _one_message(message: Message, _terms: Terms) -> Verdict | None:
    if Defect.BATCH in message.defects:
        return _BATCH
    return _SEVERAL if Defect.SEVERAL_MESSAGES in message.defects else None


def _delimiters(message: Message, _terms: Terms) -> Verdict | None:
    return _DELIMITERS if Defect.DELIMITERS in message.defects else None


def _kind(message: Message, terms: Terms) -> Verdict | None:
    triggers = terms.accepted.get(message.message_code)
    if triggers is None:
        return _TYPE
    return None if message.trigger in triggers or ALL in triggers else _TRIGGER


def _processing(message: Message, terms: Terms) -> Verdict | None:
    accepted = terms.processing_ids
    return _PROCESSING if accepted and message.msh.value(11).strip() not in accepted else None


def _version(message: Message, terms: Terms) -> Verdict | None:
    accepted = terms.versions
    return _VERSION if accepted and message.version not in accepted else None


def _characters(message: Message, _terms: Terms) -> Verdict | None:
    if Defect.INVALID_CHARACTERS in message.defects:
        unknown = unknown_name(message.declared)
        return _CHARACTERS if unknown is None else _unknown_charset(unknown)
    return _NUL if Defect.NUL in message.defects else None


def _unknown_charset(name: str) -> Verdict:
    text = f"The character set {name or 'named'} is not known here, and the bytes are not UTF-8."
    return Verdict(Code.AE, "102", "MSH^1^18", text)


def _key(message: Message, _terms: Terms) -> Verdict | None:
    """MSH-10 and the sender: together the key by which a repeat is known."""
    if not message.control_id.strip():
        return _NO_CONTROL_ID
    too_long = any(len(message.msh.raw(field)) > longest for field, longest in _LONGEST.items())
    return _LONG_HEADER if too_long else None


def _size(message: Message, _terms: Terms) -> Verdict | None:
    """The number and size of patient groups: there is an envelope for each, with its values in it."""
    if Defect.TOO_MANY_LINES in message.defects:
        return _TOO_MANY_LINES
    segments = [segment for name in _REPEATED for segment in message.all(name)]
    if len(segments) > MOST_SEGMENTS or any(len(segment.line) > LONGEST_SEGMENT for segment in segments):
        return _TOO_MUCH
    repetitions = [
        len(segment.repetitions(field)) for segment in segments for field in _REPEATED[segment.name]
    ]
    if max(repetitions, default=0) > MOST_REPETITIONS or sum(repetitions) > MOST_REPETITIONS_IN_ALL:
        return _TOO_MUCH
    length = sum([group.length for group in patient_groups(message)])
    return _TOO_MUCH if length > _LONGEST_GROUPS else None


def _structure(message: Message, _terms: Terms) -> Verdict | None:
    """PID and MRG where chapter 3 puts them; other message types have structures of their own."""
    if message.message_code != "ADT":
        return None
    trigger = message.trigger
    patients = len(message.all("PID"))
    if not patients:
        return _NO_PID
    if patients > 1 and trigger not in SEVERAL_PATIENTS:
        return _SECOND_PID
    if trigger in TWO_PATIENTS and patients != 2:  # noqa: PLR2004
        return Verdict(Code.AE, "100", f"PID^{min(patients + 1, 3)}", _NOT_TWO_PID)
    if trigger in MERGES and not all(group.mrg for group in patient_groups(message)):
        return _NO_MRG
    return None


def _identified(message: Message, terms: Terms) -> Verdict | None:
    """An MRN or an NHS number for every patient the message names."""
    for number, pid in enumerate(message.all("PID"), start=1):
        found = patient_identifiers(pid, terms.identifiers, message.sent_on)
        if not (found.mrn or found.nhs_number):
            text = no_patient_identifier(pid, terms.identifiers)
            return Verdict(Code.AE, "101", f"PID^{number}^3", text)
    return None


def _paired(message: Message, terms: Terms) -> Verdict | None:
    """A prior identifier in every MRG of a merge of patients, of which it can be told what survives it."""
    for number, (mrg, pid, found) in enumerate(_pairings(message, terms), start=1):
        if not found.pairs and not found.is_same:
            text = no_prior_identifier(mrg, pid, terms.identifiers)
            return Verdict(Code.AE, "101", f"MRG^{number}^1", text)
    return None


def _in_circle(message: Message, terms: Terms) -> Verdict | None:
    """Several MRG of which one gives up what another one keeps, and the other way round."""
    pairings = _pairings(message, terms)
    if len(pairings) <= 1:
        return None
    number = in_circle([found.pairs for *_, found in pairings])
    return None if number is None else Verdict(Code.AE, "207", f"MRG^{number + 1}^1", _CIRCLE)


def _merges_nothing(message: Message, terms: Terms) -> bool:
    """Whether all the MRG of a merge of patients give up what survives."""
    pairings = _pairings(message, terms)
    return bool(pairings) and all(found.is_same for *_, found in pairings)


def _pairings(message: Message, terms: Terms) -> list[tuple[Segment, Segment, Pairing]]:
    """The MRG segments of a merge of patients, in order, their PID, and what becomes of their identifiers."""
    if message.trigger not in PATIENT_MERGES or message.message_code != "ADT":
        return []
    table, on = terms.identifiers, message.sent_on
    groups = patient_groups(message)
    return [
        (each.mrg, each.pid, pairing(each.pid, each.mrg, table, on))
        for each in groups
        if each.mrg is not None
    ]


def _ward(message: Message, _terms: Terms) -> Verdict | None:
    if message.event_code != "ADT_A02":
        return None
    pv1 = message.first("PV1")
    return None if pv1 and pv1.value(3).strip() not in {"", DELETE} else _NO_WARD


def _birth(message: Message, terms: Terms) -> Verdict | None:
    """A bad date of birth, unless the site leaves it out (`process_patient` does)."""
    if terms.bad_dates == LEAVE_OUT:
        return None
    return _BIRTH if any(is_bad(pid, message.received_on) for pid in message.all("PID")) else None


def _class(message: Message, terms: Terms) -> Verdict | None:
    ignored = map(_class_named, terms.ignored_encounter_classes)
    classes = {_class_named(pv1.value(2)) for pv1 in message.all("PV1")}
    return None if classes.isdisjoint(ignored) else _IGNORED


def _class_named(code: str) -> str:
    """The word for a patient class, whether it or the code of table 0004 stands there."""
    code = code.strip().upper()
    return _CLASSES.get(code, code)


Rule = Callable[[Message, Terms], Verdict | None]

#: The ACK table. The order is the precedence.
RULES: tuple[Rule, ...] = (
    _one_message,  # AR 207
    _delimiters,  # AE 102
    _kind,  # AR 200, AR 201
    _processing,  # AR 202
    _version,  # AR 203
    _characters,  # AE 102
    _key,  # AE 101, AE 102
    _size,  # AE 207
    _structure,  # AE 100
    _identified,  # AE 101
    _paired,  # AE 101
    _in_circle,  # AE 207
    _ward,  # AE 101
    _birth,  # AE 102
    _class,  # AE 207
)

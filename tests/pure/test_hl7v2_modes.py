"""Original and enhanced mode: which acknowledgements MSH-15 and MSH-16 ask for, and which are due."""

import pytest

from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.acknowledge import acknowledge, refuse_unreadable
from dhos_connector_api.hl7v2.modes import (
    BOTH,
    ORIGINAL,
    Condition,
    Mode,
    Wanted,
    due,
    silent_when_taken,
    wanted,
)
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.hl7v2.rules import ACCEPTED, Code, Verdict, judge
from dhos_connector_api.site.model import Site
from tests.builders.hl7 import NOW, adt, adt_message

AL, NE, ER, SU = Condition.ALWAYS, Condition.NEVER, Condition.ON_ERROR, Condition.ON_SUCCESS
_INSIDE = Verdict(Code.AE, "101", "PID^1^3", "There is no patient identifier this site knows.")
_HEADER = Verdict(Code.AE, "101", "MSH^1^10", "The message control id is missing.")
_TYPE = Verdict(Code.AR, "200", "MSH^1^9^1^1", "This message type is not accepted here.")


@pytest.mark.parametrize(
    ("accept", "application", "mode", "expected"),
    [
        ("", "", Mode.AUTO, ORIGINAL),
        ('""', '""', Mode.AUTO, ORIGINAL),
        ("AL", "", Mode.AUTO, Wanted(AL, NE)),
        ("", "AL", Mode.AUTO, Wanted(NE, AL)),
        ("ER", "SU", Mode.AUTO, Wanted(ER, SU)),
        (" al ", "ne", Mode.AUTO, Wanted(AL, NE)),
        ("NE", "NE", Mode.AUTO, Wanted(NE, NE)),
        ("XX", "NE", Mode.AUTO, Wanted(AL, NE)),
        ("AL", "AL", Mode.ORIGINAL, ORIGINAL),
        ("NE", "NE", Mode.ORIGINAL, ORIGINAL),
        ("", "", Mode.ENHANCED, BOTH),
        ("AL", "", Mode.ENHANCED, Wanted(AL, NE)),
    ],
)
def test_what_a_message_asks_for(accept: str, application: str, mode: Mode, expected: Wanted) -> None:
    assert wanted(adt_message(MSH_15=accept, MSH_16=application), mode) == expected


#: What is asked; then for AA, for a fault inside (AE), for one in the header (AE), for a type that is
#: not taken (AR): the accept code, and whether the application acknowledgement follows.
DUE = [
    (ORIGINAL, (None, True), (None, True), (None, True), (None, True)),
    (Wanted(AL, AL), ("CA", True), ("CA", True), ("CE", False), ("CR", False)),
    (Wanted(AL, NE), ("CA", False), ("CA", False), ("CE", False), ("CR", False)),
    (Wanted(AL, ER), ("CA", False), ("CA", True), ("CE", False), ("CR", False)),
    (Wanted(AL, SU), ("CA", True), ("CA", False), ("CE", False), ("CR", False)),
    (Wanted(NE, AL), (None, True), (None, True), (None, True), (None, True)),
    (Wanted(NE, NE), (None, False), (None, False), (None, False), (None, False)),
    (Wanted(NE, ER), (None, False), (None, True), (None, True), (None, True)),
    (Wanted(NE, SU), (None, True), (None, False), (None, False), (None, False)),
    (Wanted(ER, AL), (None, True), (None, True), ("CE", False), ("CR", False)),
    (Wanted(ER, NE), (None, False), (None, False), ("CE", False), ("CR", False)),
    (Wanted(ER, ER), (None, False), (None, True), ("CE", False), ("CR", False)),
    (Wanted(ER, SU), (None, True), (None, False), ("CE", False), ("CR", False)),
    (Wanted(SU, AL), ("CA", True), ("CA", True), (None, True), (None, True)),
    (Wanted(SU, NE), ("CA", False), ("CA", False), (None, False), (None, False)),
    (Wanted(SU, ER), ("CA", False), ("CA", True), (None, True), (None, True)),
    (Wanted(SU, SU), ("CA", True), ("CA", False), (None, False), (None, False)),
]


@pytest.mark.parametrize(("asked", "aa", "inside", "header", "kind"), DUE)
def test_what_is_due(asked: Wanted, aa: object, inside: object, header: object, kind: object) -> None:
    cases = ((ACCEPTED, aa), (_INSIDE, inside), (_HEADER, header), (_TYPE, kind))
    for verdict, expected in cases:
        found = due(asked, verdict)
        assert (found.accept.code if found.accept else None, found.application) == expected


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (adt(), "CA"),
        (adt(MSH_9="ORU^R01"), "CR"),
        (adt(MSH_9="ADT^A99"), "CR"),
        (adt(MSH_10=""), "CE"),
        (adt(MSH_18="ASCII").replace(b"SMITH", b"\xff"), "CE"),
        (adt() + b"NTE|\x00\r", "CE"),
        (adt(PID_3=""), "CA"),
        (adt(PID=None), "CA"),
        (adt(encounter_class="WAITLIST"), "CA"),
    ],
)
def test_the_code_on_the_accept_level_follows_from_the_rule_that_objected(raw: bytes, code: str) -> None:
    accept = due(BOTH, judge(read(raw), Site().inbound)).accept
    assert accept is not None
    assert accept.code == code


def test_a_message_stored_in_spite_of_a_fault_of_ours_is_committed() -> None:
    assert due(BOTH, rules.OWN_FAILURE).accept == Verdict(Code.CA)


def test_an_accept_acknowledgement_names_the_message_and_the_reason() -> None:
    message = adt_message(control_id="C1", version="2.5", MSH_9="ORU^R01")
    accept = due(BOTH, _TYPE).accept
    assert accept is not None
    lines = acknowledge(message, accept, control_id="OURS", now=NOW).decode().split("\r")
    assert lines[1] == "MSA|CR|C1"
    assert lines[2].startswith("ERR||MSH^1^9^1^1|200^Unsupported message type^HL70357|E")


def test_bytes_without_msh_are_refused_with_an_empty_msa_2() -> None:
    raw = refuse_unreadable(Code.AR, control_id="OURS", now=NOW)
    assert raw == (
        b"MSH|^~\\&|||||20240318091503.250+0000||ACK|OURS|P|2.3\rMSA|AR||No MSH segment can be read.\r"
    )


@pytest.mark.parametrize("asked", [each[0] for each in DUE])
def test_silence_can_mean_that_it_was_taken_where_that_is_answered_with_nothing(asked: Wanted) -> None:
    (expected,) = {row[1] == (None, False) for row in DUE if row[0] == asked}
    assert silent_when_taken(asked) is expected

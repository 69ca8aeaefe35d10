"""One pairing of prior and surviving identifiers: in the answer, envelopes, event and index alike."""

from random import Random
from typing import Any

import pytest

from dhos_connector_api.actions.hl7.facts import facts
from dhos_connector_api.actions.hl7.merges import Merge, merges
from dhos_connector_api.hl7v2.groups import PATIENT_MERGES, WITH_PRIOR
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import Verdict, judge
from dhos_connector_api.site.model import IdentifierTable, Inbound, Site
from tests.builders.envelopes import LONDON, actions, envelopes
from tests.builders.hl7 import adt, adt_message, merge, two_patients

OURS = "1001^^^RTH^MR"
NHS, OTHER_NHS, THIRD_NHS = "9434765919", "9434765870", "9434765897"
#: Who gives up what, by (old, surviving), for MRNs and NHS numbers.
Told = list[tuple[str | None, str | None, str | None, str | None]]


def merging(mrg_1: str, pid_3: str = OURS, trigger: str = "A40", **fields: Any) -> Message:
    return read(merge(trigger, PID_3=pid_3, MRG_1=mrg_1, **fields))


def verdict(received: Message, **table: Any) -> Verdict:
    return judge(received, Inbound(identifiers=IdentifierTable(**table)))


def in_events(received: Message) -> Told:
    """What each event says; the legacy action beside it has to say the same."""
    told: Told = []
    for envelope in envelopes(received):
        found = actions(envelope)
        event = found["process_event"]
        now, before = event["patient"], event["previous"]
        told.append((before["mrn"], now["mrn"], before["nhs_number"], now["nhs_number"]))
        if "process_patient" in found:
            data = found["process_patient"]
            names = ("previous_mrn", "mrn", "previous_nhs_number", "nhs_number")
            assert tuple(data.get(name) for name in names) == told[-1]
    return told


def in_index(received: Message) -> list[Merge]:
    found = merges(received, Site())
    known = facts(received, Site(), LONDON).identifiers
    assert {(each.identifier_type, each.old) for each in found} <= set(known)
    return found


@pytest.mark.parametrize(
    ("pid_3", "mrg_1", "pairs"),
    [
        # an untyped prior identifier is of the type of the one of its authority, else an MRN
        (OURS, "1002^^^RTH", [("1002", "1001")]),
        (OURS, "1002", [("1002", "1001")]),
        (OURS, "1002^^^OTHER", [("1002", "1001")]),
        ("1001", "1002", [("1002", "1001")]),
        (f"{NHS}^^^NHS^NH~{OURS}", "1002^^^RTH", [("1002", "1001")]),
        # by authority, then by type
        (f"E77^^^EMPI^PI~{OURS}", "1002^^^RTH^MR", [("1002", "1001")]),
        (f"E77^^^EMPI^PI~{OURS}", "1002^^^RTH^PI", [("1002", "1001")]),
        (f"E77^^^EMPI^PI~{OURS}", "1002^^^RTH", [("1002", "1001")]),
        (f"E77^^^EMPI^PI~{OURS}", "1002^^^OTHER^MR", [("1002", "1001")]),
        ("E77^^^RTH^PI~1001^^^RTH^MR", "1002^^^RTH^MR", [("1002", "1001")]),
        ("E77^^^RTH^PI~1001^^^RTH^MR", "E78^^^RTH^PI~1002^^^RTH^MR", [("E78", "E77"), ("1002", "1001")]),
        ("E77^^^EMPI^PI~1001^^^^MR", "1002^^^^MR", [("1002", "1001")]),
        ("333^^^B^MR", "111^^^A^MR~222^^^B^MR", [("111", "333"), ("222", "333")]),
        ("3^^^A^MR~4^^^B^MR", "1^^^A^MR~2^^^B^MR", [("1", "3"), ("2", "4")]),
        ("3^^^A^MR~4^^^B^MR", "2^^^b^MR~1^^^A^MR", [("2", "4"), ("1", "3")]),
        ("3^^^&1.2.3&ISO^MR~4^^^B^MR", "1^^^&1.2.3&ISO^MR", [("1", "3")]),
        # an NHS number beside it takes nothing from one without a type
        (f"{OURS}~{NHS}^^^NHS^NH", f"1002~{NHS}^^^NHS^NH", [("1002", "1001")]),
        (f"{OURS}~{NHS}^^^NHS^NH", f"1002^^^OLDPAS~{NHS}^^^NHS^NH", [("1002", "1001")]),
        (f"1001~{NHS}^^^NHS^NH", f"{NHS}^^^NHS^NH~1002", [("1002", "1001")]),
        # where no authority or type code is told, none is the same
        (f"{OURS}~E77^^^^PI", "1002^^^^MR", [("1002", "1001")]),
        (f"{OURS}~E77^^^^PI", "1002", [("1002", "1001")]),
        ("1001^^^RTH^MR~E77^^^MRN", "1002^^^OTHER^PI", [("1002", "1001")]),
        # by the authority's name or its universal id, whichever both have
        ("E^^^X^MR~1001^^^RTH&1.2.3&ISO^MR", "1002^^^&1.2.3&ISO^MR", [("1002", "1001")]),
        ("E^^^X^MR~1001^^^&1.2.3&ISO^MR", "1002^^^RTH&1.2.3&ISO^MR", [("1002", "1001")]),
        ("E^^^X^MR~1001^^^RTH&1.2.3&ISO^MR", "1002^^^rth^MR", [("1002", "1001")]),
        ("E^^^X^MR~1001^^^RTH&1.2.3&ISO^MR", "1002^^^&1.2.3&ISO", [("1002", "1001")]),
        # a type code in the authority's place is the type code
        ("E7^^^EMPI^PI~1001^^^MRN", "1002^^^^MRN", [("1002", "1001")]),
        ("E7^^^EMPI^PI~1001^^^^MRN", "1002^^^MRN", [("1002", "1001")]),
        ("E7^^^PI~1001^^^MR", "1002^^^RTH^MR", [("1002", "1001")]),
        ("E7^^^MR&1.2.3&ISO~1001^^^B&4.5.6&ISO^MR", "1002^^^&4.5.6&ISO^MR", [("1002", "1001")]),
        # what is given up survives nothing where another of its authority and type code does
        ("1002^^^RTH^MR~1001^^^RTH^MR", "1002^^^RTH^MR", [("1002", "1001")]),
        ("1001^^^RTH^MR~1002^^^RTH^MR", "1002^^^RTH^MR", [("1002", "1001")]),
        ("1002^^^RTH^MR~1001^^^RTH^MR", "1002", [("1002", "1001")]),
        ("1002~1001", "1002", [("1002", "1001")]),
        ("1002^^^RTH&1.2.3^MR~1001^^^&1.2.3^MR", "1002^^^RTH^MR", [("1002", "1001")]),
        (
            "1002^^^RTH^MR~1001^^^RTH^MR",
            "1002^^^RTH^MR~1003^^^RTH^MR",
            [("1002", "1001"), ("1003", "1001")],
        ),
        (
            "W^^^^MR~1002^^^RTH^MR~1001^^^RTH^MR",
            "1002^^^^MR~1003^^^RTH^MR",
            [("1002", "1001"), ("1003", "1001")],
        ),
        (
            "1002^^^A^MR~1002^^^B^MR~1001^^^B^MR",
            "1002^^^B^MR~1003^^^B^MR",
            [("1002", "1001"), ("1003", "1001")],
        ),
        # what is the survivor's own has no effect
        (OURS, f"{OURS}~1002^^^RTH^MR", [("1002", "1001")]),
        (f"{OURS}~E77^^^EMPI^PI", f"{OURS}~1002^^^RTH^MR", [("1002", "1001")]),
        (OURS, "1002^^^RTH^MR~1002^^^RTH^MR", [("1002", "1001")]),
    ],
)
@pytest.mark.parametrize("trigger", ["A34", "A40", "A30"])
def test_mrns_are_paired_by_authority_then_by_type(
    trigger: str, pid_3: str, mrg_1: str, pairs: list[tuple[str, str]]
) -> None:
    received = merging(mrg_1, pid_3, trigger)
    assert verdict(received).code == "AA"
    assert in_index(received) == [("MRN", old, surviving) for old, surviving in pairs]
    nhs = NHS if NHS in pid_3 else None
    assert in_events(received) == [(old, surviving, None, nhs) for old, surviving in pairs]


@pytest.mark.parametrize(
    ("pid_3", "mrg_1", "events", "index"),
    [
        (
            f"{OURS}~{NHS}^^^NHS^NH",
            f"1002^^^RTH^MR~{OTHER_NHS}^^^NHS^NH",
            [("1002", "1001", OTHER_NHS, NHS)],
            [("MRN", "1002", "1001"), ("NHS number", OTHER_NHS, NHS)],
        ),
        (
            f"{OURS}~{NHS}^^^NHS^NH",
            f"1002^^^RTH^MR~{OTHER_NHS}^^^NHS^NH~1003^^^RTH^MR",
            [("1002", "1001", OTHER_NHS, NHS), ("1003", "1001", None, NHS)],
            [("MRN", "1002", "1001"), ("NHS number", OTHER_NHS, NHS), ("MRN", "1003", "1001")],
        ),
        (f"{NHS}^^^NHS", OTHER_NHS, [(None, None, OTHER_NHS, NHS)], [("NHS number", OTHER_NHS, NHS)]),
        (
            f"{NHS}^^^NHS",
            f"{OTHER_NHS}^^^NHS",
            [(None, None, OTHER_NHS, NHS)],
            [("NHS number", OTHER_NHS, NHS)],
        ),
        # of a type that the patient has none of: consumers are told, the index knows no such merge
        (OURS, f"{OTHER_NHS}^^^NHS^NH", [(None, "1001", OTHER_NHS, None)], []),
        (f"{NHS}^^^NHS", "1002^^^RTH^MR", [("1002", None, None, NHS)], []),
        # nobody is known by a number that is given up, in no envelope
        (
            f"1002^^^RTH^MR~1001^^^RTH^MR~{NHS}^^^NHS^NH",
            f"1002^^^RTH^MR~{OTHER_NHS}^^^NHS^NH~{THIRD_NHS}^^^NHS^NH",
            [("1002", "1001", OTHER_NHS, NHS), (None, "1001", THIRD_NHS, NHS)],
            [
                ("MRN", "1002", "1001"),
                ("NHS number", OTHER_NHS, NHS),
                ("NHS number", THIRD_NHS, NHS),
            ],
        ),
        (
            f"{OTHER_NHS}^^^NHS^NH~{NHS}^^^NHS^NH",
            f"{OTHER_NHS}^^^NHS^NH",
            [(None, None, OTHER_NHS, NHS)],
            [("NHS number", OTHER_NHS, NHS)],
        ),
        # the patient's own NHS number is one, and not an MRN, also without a type
        (
            f"{OURS}~{NHS}^^^NHS^NH",
            f"{NHS}~1002^^^RTH^MR",
            [("1002", "1001", None, NHS)],
            [("MRN", "1002", "1001")],
        ),
        # the same NHS number stays the patient's
        (
            f"{OURS}~{NHS}^^^NHS",
            f"1002^^^RTH^MR~{NHS}^^^NHS",
            [("1002", "1001", None, NHS)],
            [("MRN", "1002", "1001")],
        ),
    ],
)  # fmt: skip
def test_each_old_identifier_is_told_once(
    pid_3: str, mrg_1: str, events: Told, index: list[tuple[str, str, str]]
) -> None:
    received = merging(mrg_1, pid_3)
    assert verdict(received).code == "AA"
    assert in_events(received) == events
    assert sorted(in_index(received)) == sorted(index)


@pytest.mark.parametrize(
    "mrg", [{"MRG_2": "1002^^^RTH^MR"}, {"MRG_2": "1002"}, {"MRG_1": '""', "MRG_2": "1002"}]
)
def test_the_place_of_old_versions_is_read_where_the_new_one_is_empty(mrg: dict[str, str]) -> None:
    received = read(merge("A40", **{"PID_3": OURS, "MRG_1": ""} | mrg))
    assert verdict(received).code == "AA"
    assert in_events(received) == [("1002", "1001", None, None)]
    assert in_index(received) == [("MRN", "1002", "1001")]


@pytest.mark.parametrize("trigger", sorted(PATIENT_MERGES))
@pytest.mark.parametrize(
    ("pid_3", "mrg_1"),
    [
        (OURS, '""'),
        (OURS, ""),
        (OURS, "UNKNOWN^^^RTH^MR"),
        (OURS, "079^^^USSSA^SS"),
        (f"078^^^USSSA^SS~{OURS}", "079^^^USSSA"),
        (f"{NHS}^^^NHS", "1002"),
        (f"{NHS}^^^NHS", "123^^^NHS"),
        (OURS, "9434765918^^^NHS^NH"),
    ],
)
def test_a_prior_identifier_of_which_nothing_can_be_told_is_refused(
    trigger: str, pid_3: str, mrg_1: str
) -> None:
    refused = verdict(merging(mrg_1, pid_3, trigger))
    assert (refused.code, refused.error, refused.location) == ("AE", "101", "MRG^1^1")


def several(*groups: tuple[str, str], trigger: str = "A40") -> Message:
    """A merge with a PID and an MRG for each of these; the PID of the one before where it is ''."""
    lines = [line for pid_3, mrg_1 in groups for line in (f"PID|||{pid_3}", f"MRG|{mrg_1}")]
    kept = [line for line in lines if line != "PID|||"]
    header = f"MSH|^~\\&|PAS|RTH|||20260301101500||ADT^{trigger}|X1|P|2.5.1"
    return read("\r".join([header, "EVN||20260301101400", *kept]).encode())


@pytest.mark.parametrize(
    ("groups", "location"),
    [
        ([("1^^^^MR", "2^^^^MR"), ("2^^^^MR", "1^^^^MR")], "MRG^1^1"),
        ([("1", "2"), ("2", "1")], "MRG^1^1"),
        ([("9^^^^MR", "8^^^^MR"), ("1^^^^MR", "2^^^^MR"), ("2^^^^MR", "1^^^^MR")], "MRG^2^1"),
        ([("1^^^^MR", "2^^^^MR"), ("2^^^^MR", "3^^^^MR"), ("3^^^^MR", "1^^^^MR")], "MRG^1^1"),
        ([("1^^^A^MR~3^^^A^MR", "1^^^A^MR"), ("", "3^^^A^MR")], "MRG^1^1"),
        ([(f"{NHS}^^^NHS", f"{OTHER_NHS}^^^NHS"), (f"{OTHER_NHS}^^^NHS", f"{NHS}^^^NHS")], "MRG^1^1"),
    ],
)
def test_what_is_merged_in_a_circle_is_refused(groups: list[tuple[str, str]], location: str) -> None:
    refused = verdict(several(*groups))
    assert (refused.code, refused.error, refused.location) == ("AE", "207", location)
    assert "into each other" in (refused.text or "")


@pytest.mark.parametrize(
    "groups",
    [
        [("1^^^^MR", "2^^^^MR"), ("2^^^^MR", "3^^^^MR")],  # a chain
        [("2^^^^MR", "3^^^^MR"), ("1^^^^MR", "2^^^^MR")],
        [("1^^^^MR", "2^^^^MR"), ("1^^^^MR", "2^^^^MR")],
        [("1^^^^MR", "2^^^^MR"), ("3^^^^MR", "2^^^^MR")],
        [("1^^^^MR", "2^^^^MR"), ("1^^^^MR", "1^^^^MR")],
        [(f"{NHS}^^^NHS~1^^^^MR", f"{OTHER_NHS}^^^^MR"), (f"{OTHER_NHS}^^^NHS~2^^^^MR", "4^^^^MR")],
    ],
)
def test_what_leads_nowhere_twice_is_no_circle(groups: list[tuple[str, str]]) -> None:
    assert verdict(several(*groups)).code == "AA"


def test_accounts_and_moves_may_go_both_ways() -> None:
    for trigger in ("A41", "A43"):
        assert verdict(several(("1^^^^MR", "2^^^^MR"), ("2^^^^MR", "1^^^^MR"), trigger=trigger)).code == "AA"


def test_the_group_whose_prior_cannot_be_told_is_named() -> None:
    refused = verdict(merging("1002^^^RTH^MR", more=["PID|2||2001^^^RTH^MR", 'MRG|""']))
    assert (refused.code, refused.location) == ("AE", "MRG^2^1")


@pytest.mark.parametrize("trigger", sorted(WITH_PRIOR - PATIENT_MERGES))
def test_a_merge_of_accounts_or_a_move_needs_no_prior_patient(trigger: str) -> None:
    received = merging('""', trigger=trigger, MRG_5="V9")
    assert verdict(received).code == "AA"
    [envelope] = envelopes(received)
    previous = actions(envelope)["process_event"]["previous"]
    assert previous == {"mrn": None, "nhs_number": None, "encounter_id": "V9"}


@pytest.mark.parametrize("mrg_1", [OURS, "1001", "1001^^^RTH", "1001^^^OTHER^MR"])
def test_a_merge_into_itself_is_accepted_has_no_effect_and_says_so(mrg_1: str) -> None:
    received = merging(mrg_1)
    answered = verdict(received)
    assert (answered.code, answered.error) == ("AA", None)
    assert answered.text
    assert "nothing is merged" in answered.text
    assert in_index(received) == []
    assert in_events(received) == [(None, "1001", None, None)]


@pytest.mark.parametrize("pid_3", [f"{OURS}~{NHS}^^^NHS^NH", f"{NHS}^^^NHS^NH", f"{NHS}^^^NHS~{OURS}"])
@pytest.mark.parametrize("mrg_1", [NHS, "943 476 5919", f"{NHS}^^^RTH", f"{NHS}^^^NHS"])
def test_the_patients_own_nhs_number_is_never_given_up(pid_3: str, mrg_1: str) -> None:
    received = merging(mrg_1, pid_3)
    answered = verdict(received)
    assert (answered.code, "nothing is merged" in (answered.text or "")) == ("AA", True)
    assert in_index(received) == []
    [(given_up, _, given_up_nhs, known)] = in_events(received)
    assert (given_up, given_up_nhs, known) == (None, None, NHS)


@pytest.mark.parametrize("other", ["E77^^^EMPI^PI", "E77^^^EMPI^MR", "E77^^^RTH^PI", "E77^^^^MR"])
@pytest.mark.parametrize("mrg_1", ["1002^^^RTH^MR", "1002^^^^MR", "1002^^^RTH", "1002"])
def test_one_of_another_authority_or_type_code_is_no_other_survivor(mrg_1: str, other: str) -> None:
    received = merging(mrg_1, f"1002^^^RTH^MR~{other}")
    assert "nothing is merged" in (verdict(received).text or "")
    assert in_index(received) == []


@pytest.mark.parametrize("seed", range(300))
def test_what_survives_is_never_given_up_by_the_same_mrg(seed: int) -> None:
    random = Random(seed)

    def several(most: int) -> str:
        repetition = "{}^^^{}^{}"
        parts = [("1001", "1002", "1003", NHS, OTHER_NHS), ("", "A", "B&1.2.3", "&1.2.3", "NHS", "MR")]
        codes = ("", "MR", "PI", "NH")
        return "~".join(
            repetition.format(*(random.choice(part) for part in (*parts, codes)))
            for _ in range(random.randint(1, most))
        )

    received = merging(several(3), f"{several(4)}~1009^^^C^MR")
    if verdict(received).code == "AA":
        index, told = in_index(received), in_events(received)
        given_up = {(kind, old) for kind, old, _ in index}
        assert given_up.isdisjoint({(kind, surviving) for kind, _, surviving in index})
        assert given_up.isdisjoint({("MRN", now) for _, now, _, _ in told})
        assert given_up.isdisjoint({("NHS number", now) for *_, now in told})


def test_a_merge_of_which_a_part_is_into_itself_says_nothing() -> None:
    assert verdict(merging(f"{OURS}~1002^^^RTH^MR")).text is None
    assert verdict(merging(OURS, more=["PID|2||2001^^^RTH^MR", "MRG|2002^^^RTH^MR"])).text is None


@pytest.mark.parametrize("trigger", sorted(WITH_PRIOR))
def test_every_trigger_with_a_prior_tells_it(trigger: str) -> None:
    received = merging(f"1002^^^RTH^MR~{OTHER_NHS}^^^NHS", f"{OURS}~{NHS}^^^NHS", trigger, MRG_5="V9")
    assert verdict(received).code == "AA"
    [envelope] = envelopes(received)
    event = actions(envelope)["process_event"]
    assert event["patient"] == {"mrn": "1001", "nhs_number": NHS}
    assert event["previous"] == {"mrn": "1002", "nhs_number": OTHER_NHS, "encounter_id": "V9"}


@pytest.mark.parametrize("trigger", ["A35", "A43", "A44"])
def test_of_several_priors_of_an_account_or_a_move_the_first_is_told(trigger: str) -> None:
    received = merging("2^^^RTH^MR~3^^^RTH^MR", trigger=trigger, MRG_5="V9")
    [envelope] = envelopes(received)
    assert actions(envelope)["process_event"]["previous"]["mrn"] == "2"


def test_a_move_without_a_visit_is_still_a_move() -> None:
    received = merging("1002", trigger="A44", MRG_3="ACC1")
    [envelope] = envelopes(received)
    event = actions(envelope)["process_event"]
    assert event["event_code"] == "ADT_A44"
    assert (event["previous"]["mrn"], event["patient"]["mrn"]) == ("1002", "1001")


def test_a_new_number_of_a_visit_tells_the_old_one_and_one_that_stays_none() -> None:
    def previous(old: str) -> str | None:
        received = read(adt("A50", visit="V1", more=[f"MRG|{OURS}||||{old}"]))
        [envelope] = envelopes(received)
        told: str | None = actions(envelope)["process_event"]["previous"]["encounter_id"]
        return told

    assert (previous("V0"), previous("V1"), previous("")) == ("V0", None, None)


@pytest.mark.parametrize("received", [adt_message("A01"), read(two_patients("A24"))])
def test_no_other_trigger_has_a_prior(received: Message) -> None:
    for envelope in envelopes(received):
        assert "previous" not in actions(envelope)["process_event"]


def test_the_first_envelope_of_a_group_keeps_its_id_and_others_have_their_own() -> None:
    more = ["PID|2||2001^^^RTH^MR", "MRG|2002^^^RTH^MR"]
    of_one, of_two = (
        [each.id for each in envelopes(merging(mrg_1, more=more))]
        for mrg_1 in ("1002^^^RTH^MR", "1002^^^RTH^MR~1003^^^RTH^MR")
    )
    assert of_one == [of_two[0], of_two[2]]
    assert len(set(of_two)) == 3


def test_a_hospital_that_takes_no_untyped_mrn_still_pairs_one_by_its_patient() -> None:
    received = merging("1002^^^RTH")
    assert verdict(received, untyped_is_mrn=False).code == "AA"

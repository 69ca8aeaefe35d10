"""What a journey is explained with: each piece in a sentence, what is missing, in both languages."""

import string
from typing import Any

import pytest

from dhos_connector_api.px.journeys.evidence import Evidence, History, Move
from dhos_connector_api.px.journeys.explaining import Language, Sentence, explain
from dhos_connector_api.px.journeys.fold import fold
from dhos_connector_api.px.journeys.folded import Did, Ending
from dhos_connector_api.px.journeys.sentences import ARABIC, ENGLISH, Remark, Words
from dhos_connector_api.px.journeys.template import JourneyType
from tests.builders.journeys import PATIENT, a_move, a_version, done, told
from tests.rigs.answers import OPERATIONS

STAGES: dict[str, Any] = {
    "DOCTOR": "DOCTOR_DONE",
    "LAB": {"trigger": "LAB_ORDER_COMPLETED|A99", "name": "Laboratory"},
    "PHARMACY": {"trigger": "PHARMACY_DONE", "requires_physician": True},
    "XRAY": {"trigger": "XRAY_DONE", "is_optional": True},
}
OPENED = told("ADT_A01", 0, journey_type="opd")


def said(
    *evidence: Evidence, language: Language = "en", moves: tuple[Move, ...] = (), stages: Any = STAGES
) -> list[Sentence]:
    history = History(evidence, moves)
    folded = fold({JourneyType.OPD: a_version(stages)}, history)
    assert folded is not None
    return explain(folded, history, language)


def texts(found: list[Sentence]) -> list[str]:
    return [each.text for each in found]


def test_each_piece_and_then_what_is_missing_is_said_in_english() -> None:
    doctor = told("DOCTOR_DONE", 10, source_code="Doc")
    assert texts(said(told("PHARMACY_DONE", 20), doctor, OPENED)) == [
        "2026-03-01 08:00 UTC: The event ADT_A01 from his opened the journey.",
        "2026-03-01 08:10 UTC: The event DOCTOR_DONE (Doc) from his completed the stage Doctor.",
        "2026-03-01 08:20 UTC: The event PHARMACY_DONE from his began the stage Pharmacy, which still needed"
        " a physician or a place.",
        "Laboratory waits for the event LAB_ORDER_COMPLETED or A99.",
        "Pharmacy has its event, and waits for a physician.",
        "Xray is optional; the event XRAY_DONE may still complete it.",
    ]


def test_the_same_is_said_in_arabic_with_the_arabic_names() -> None:
    found = said(OPENED, told("DOCTOR_DONE", 10), language="ar")
    assert found[1].text == (
        "\u20682026-03-01 08:10 UTC\u2069: الحدث \u2068DOCTOR_DONE\u2069 من \u2068his\u2069 أكمل المرحلة"
        " \u2068مرحلة DOCTOR\u2069."
    )
    assert found[2].text == (
        "المرحلة \u2068مرحلة LAB\u2069 تنتظر الحدث \u2068LAB_ORDER_COMPLETED\u2069 أو \u2068A99\u2069."
    )


def test_a_sentence_says_what_it_is_about() -> None:
    doctor = told("DOCTOR_DONE", 10)
    found = said(OPENED, doctor)
    assert (found[1].at, found[1].event_uuid) == (doctor.occurred_at, doctor.event_uuid)
    assert (found[1].kind, found[1].stage) == (Did.COMPLETED_STAGE, "DOCTOR")
    assert (found[2].at, found[2].event_uuid) == (None, None)
    assert (found[2].kind, found[2].stage) == (Remark.WAITS_FOR_EVENT, "LAB")


def test_a_late_stage_and_those_left_out_are_said_so() -> None:
    found = said(OPENED, told("ADT_A03", 10), told("DOCTOR_DONE", 20))
    assert [(each.kind, each.stage) for each in found[1:]] == [
        (Did.CLOSED, None),
        (Remark.COMPLETED_LATE, "DOCTOR"),
        (Remark.LEFT_OUT, "LAB"),
        (Remark.LEFT_OUT, "PHARMACY"),
        (Remark.LEFT_OUT, "XRAY"),
    ]
    assert "closed the journey: the patient was discharged." in found[1].text


def test_a_move_of_a_patient_stands_at_its_time() -> None:
    found = said(OPENED, told("DOCTOR_DONE", 10, patient_id=None), moves=(a_move(5),))
    assert found[1].text == (
        "2026-03-01 08:05 UTC: A move of all that was one patient's to another made the journey another"
        " patient's."
    )


def test_a_reason_stands_beside_the_sentence_of_what_a_person_did() -> None:
    closed = done("JOURNEY_CLOSED", 10, reason="The discharge was never sent")
    feed = told("DOCTOR_DONE", 5, reason="A feed has none to give")
    found = said(OPENED, feed, closed, done("STAGE_COMPLETED", 11, "LAB"))
    assert [(each.kind, each.reason) for each in found[:4]] == [
        (Did.OPENED, None),
        (Did.COMPLETED_STAGE, None),
        (Did.CLOSED, "The discharge was never sent"),
        (Remark.COMPLETED_LATE, None),
    ]
    assert {each.reason for each in found[4:]} == {None}, "what is missing was told by nobody"


def test_a_sentence_names_no_person_and_no_reason() -> None:
    act = done("STAGE_SKIPPED", 10, "DOCTOR", reason="Mrs Canary was tired", mrn="M-CANARY")
    [_, skipped, *_] = found = said(OPENED, act, told("ADT_A08", 11, mrn="M-CANARY"))
    assert skipped.text == "2026-03-01 08:10 UTC: A person skipped the stage Doctor."
    assert not any("anary" in each or "CANARY" in each or str(PATIENT) in each for each in texts(found))


def test_what_was_assumed_and_what_no_template_was_there_for_is_said() -> None:
    history = History((told("ADT_A01", 0),))
    folded = fold({}, history)
    assert folded is not None
    assert [each.kind for each in explain(folded, history, "en")] == [
        Did.OPENED,
        Remark.TYPE_ASSUMED,
        Remark.NO_TEMPLATE,
    ]


def test_a_name_that_looks_like_a_form_is_a_name() -> None:
    found = said(OPENED, told("{at} {secret}", 5), stages={"X": {"trigger": "{0}", "name": "{stage!r}"}})
    assert "The event {at} {secret} from his changed nothing." in found[1].text
    assert found[2].text == "{stage!r} waits for the event {0}."


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("words", [ENGLISH, ARABIC], ids=["en", "ar"])
def test_every_language_says_all_that_may_be_said(words: Words) -> None:
    assert set(words.sentences) == set(Did) | set(Remark)
    assert set(words.endings) == set(Ending)
    assert set(words.types) == set(JourneyType)
    texts = [*words.sentences.values(), *words.endings.values(), *words.types.values(), words.by_person]
    texts += [words.by_clock, words.by_move, words.by_event, words.by_event_of_its_own, words.or_]
    assert all(each.strip() for each in texts)


def test_both_languages_say_the_same_facts() -> None:
    for kind, text in ENGLISH.sentences.items():
        assert _names(text) == _names(ARABIC.sentences[kind]), kind
    assert _names(ENGLISH.by_event_of_its_own) == _names(ARABIC.by_event_of_its_own)
    assert _names(ENGLISH.by_event) == _names(ARABIC.by_event)


def test_nothing_arabic_stands_in_english_and_nothing_english_in_arabic() -> None:
    for text in ENGLISH.sentences.values():
        assert text.isascii()
    for text in ARABIC.sentences.values():
        plain = "".join(part for part, *_ in string.Formatter().parse(text))
        assert not any(sign.isascii() and sign.isalpha() for sign in plain)


def test_the_example_of_the_specification_is_in_our_words() -> None:
    definition = OPERATIONS["explain_journey"].definition
    example = definition["responses"]["200"]["content"]["application/json"]["example"]
    stages = {
        "OPD_MD_CONSULT": {"trigger": "OPD_VISIT_COMPLETED", "name": "MD Consultation"},
        "LABORATORY": "LAB_COMPLETED",
        "PHARMACY": "PHARMACY_DISPENSED|PHARMACY_ORDER_COMPLETED",
    }
    reason = "Nothing was ordered from the laboratory"
    skipped = done("STAGE_SKIPPED", 170, "LABORATORY", reason=reason)
    found = said(OPENED, told("OPD_VISIT_COMPLETED", 165), skipped, stages=stages)
    assert [(each.text, each.kind, each.stage, each.reason) for each in found[1:]] == [
        (each["text"], each["kind"], each["stage"], each["reason"]) for each in example["sentences"]
    ]

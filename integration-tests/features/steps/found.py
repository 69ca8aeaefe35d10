"""Steps that search."""

from typing import Any
from uuid import uuid4

from behave import step

from driver import tokens
from driver.messages import Patient


def _uuids(found: list[dict[str, Any]]) -> list[str]:
    return [each["uuid"] for each in found]


@step("a search by control id finds it alone")
def check_control_id(context: Any) -> None:
    message, answer = context.sent[-1]
    (found,) = context.connector.by_control_id(message.control_id)
    assert found["message_control_id"] == message.control_id
    assert answer.uuid in (None, found["uuid"])  # the raw answer does not tell its uuid


@step("a search by control id finds nothing")
def check_no_control_id(context: Any) -> None:
    control_id = context.refused.control_id if "refused" in context else "NONE"
    assert context.connector.by_control_id(control_id) == []


@step("a search by MRN finds nothing")
def check_no_mrn(context: Any) -> None:
    assert context.connector.by_identifier("MRN", Patient().mrn) == []


@step("a search by {kind} finds both messages, newest first")
def check_identifier(context: Any, kind: str) -> None:
    found = context.connector.by_identifier(kind, context.patient.identifier(kind))
    assert _uuids(found) == [answer.uuid for _, answer in reversed(context.sent)]


@step("the list by MRN is read in pages of {length:d}")
def read_pages(context: Any, length: int) -> None:
    page = context.connector.page("MRN", context.patient.mrn, length)
    context.pages = []
    while page is not None:
        assert page.status_code == 200, f"{page.url}: {page.text}"
        context.pages.append(_uuids(page.json()))
        page = context.connector.following(page)


@step("the pages hold 2, 2 and 1 messages, all of them once, newest first")
def check_pages(context: Any) -> None:
    assert [len(page) for page in context.pages] == [2, 2, 1], context.pages
    every = [uuid for page in context.pages for uuid in page]
    assert every == [answer.uuid for _, answer in reversed(context.sent)]


@step("a search by the surviving MRN finds the merge and the old admission, and tells the old MRN")
def check_merge(context: Any) -> None:
    merge, admission = context.connector.by_identifier("MRN", context.patient.mrn)
    assert [admission["uuid"], merge["uuid"]] == [answer.uuid for _, answer in context.sent]
    assert admission["matched_on"] == {
        "identifier_type": "MRN",
        "identifier": context.old_patient.mrn,
        "merged": True,
    }
    assert merge["matched_on"]["merged"] is False


@step("somebody asks for a message that does not exist")
def ask_for_nothing(context: Any) -> None:
    token = tokens.internal(context.around, tokens.READ)
    context.response = context.connector.request("GET", f"/dhos/v1/message/{uuid4()}", token=token)


@step("the EPR asks for the message")
def ask_as_adapter(context: Any) -> None:
    token = tokens.epr_adapter(context.around, tokens.BOTH)
    context.response = context.connector.request(
        "GET", f"/dhos/v1/message/{context.sent[-1][1].uuid}", token=token
    )

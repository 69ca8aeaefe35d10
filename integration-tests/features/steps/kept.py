"""Steps that look at the acknowledgement and at what is kept."""

import base64
from typing import Any

from behave import step


def stored(context: Any) -> dict[str, Any]:
    """The last message as the Connector shows it."""
    found: dict[str, Any] = context.connector.get(context.sent[-1][1].uuid)
    return found


@step("the Connector rejects repeats")
@step("the Connector knows no Mirth")
def use_other_connector(context: Any) -> None:
    context.connector = context.other_connector


@step("it is acknowledged with {code:w}")
def check_code(context: Any, code: str) -> None:
    message, answer = context.sent[-1]
    answer.ack.expect(code)
    assert answer.ack.control_id == message.control_id


@step("it is acknowledged with {code:w} and error {error:w}")
def check_code_and_error(context: Any, code: str, error: str) -> None:
    check_code(context, code)
    assert context.sent[-1][1].ack.error == error, context.sent[-1][1].ack.error


@step("all of them are acknowledged with {code:w}")
def check_all_codes(context: Any, code: str) -> None:
    codes = [answer.ack.code for _, answer in context.sent]
    assert set(codes) == {code}, codes


@step("it gets the very same acknowledgement")
def check_same_acknowledgement(context: Any) -> None:
    first, second = (answer for _, answer in context.sent)
    assert first == second


@step("it is stored as {state:w} with ack_status {code:w}")
def check_stored(context: Any, state: str, code: str) -> None:
    message, answer = context.sent[-1]
    kept = stored(context)
    assert kept["uuid"] == answer.uuid
    assert base64.b64decode(kept["body"]) == message.raw, "the bytes are not what was sent"
    assert kept["content"].rstrip("\r") == "\r".join(message.segments), "the text is not what was sent"
    assert kept["message_control_id"] == message.control_id
    assert (kept["state"], kept["ack_status"]) == (state, code), (kept["state"], kept["ack_status"])
    assert (kept["src_description"], kept["dst_description"]) == ("tie", "dhos")


@step("it is stored as a duplicate of the first message")
def check_duplicate(context: Any) -> None:
    first, second = (answer.uuid for _, answer in context.sent)
    assert first != second
    assert stored(context)["duplicate_of"] == first


@step("the message has been repeated once")
def check_repeats(context: Any) -> None:
    assert stored(context)["repeats"] == 1


@step("the platform marks the message as processed")
def mark_processed(context: Any) -> None:
    context.connector.mark_processed(context.sent[-1][1].uuid)


@step("it is stored as processed")
def check_processed(context: Any) -> None:
    kept = stored(context)
    assert kept["is_processed"] is True
    assert kept["processed_at"]
    assert kept["modified_by"] == "integration-tests"


@step("the request is refused with {status:d}")
def check_refused(context: Any, status: int) -> None:
    response = context.response
    assert response.status_code == status, f"{response.status_code}: {response.text[:300]}"
    error = response.json()
    assert error["code"] == status, error
    assert error["message"], error

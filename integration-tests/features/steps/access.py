"""Steps about tokens."""

import base64
from typing import Any

from behave import step

from driver import tokens
from driver.messages import adt


def _send_with(context: Any, token: str | None) -> None:
    context.refused = adt("A01", context.sender, context.patient)
    body = {"type": "HL7v2", "body": base64.b64encode(context.refused.raw).decode()}
    context.response = context.connector.request("POST", "/dhos/v1/message", token=token, json=body)


@step("somebody sends an admission without a token")
def send_without_token(context: Any) -> None:
    _send_with(context, None)


@step("somebody sends an admission with a token {flaw}")
def send_with_bad_token(context: Any, flaw: str) -> None:
    _send_with(context, tokens.bad(context.around, flaw))

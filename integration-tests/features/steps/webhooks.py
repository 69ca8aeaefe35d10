"""Steps that send webhooks: context.raw is the last one's bytes, context.response its answer."""

import secrets
from collections.abc import Callable
from typing import Any

from behave import step

from driver import his, tokens
from driver.his import JSON, Stay, own_header, standard_headers

_TOO_OLD = 360


def _post(context: Any, raw: bytes, headers: dict[str, str], source: str = "his", **options: Any) -> None:
    context.raw, context.headers = raw, headers
    path = f"/api/v1/webhooks/{source}/events"
    context.response = context.connector.request("POST", path, data=raw, headers=headers, **options)


def _new(context: Any, event: str) -> bytes:
    context.stay = Stay()
    return his.webhook(event, context.stay)


@step("the HIS sends {event:w} signed in {form}")
@step("the HIS has sent {event:w} signed in {form}")
def send(context: Any, event: str, form: str) -> None:
    secret, before = context.around.his_webhook_secrets
    forms: dict[str, Callable[[bytes], dict[str, str]]] = {
        "its own header": lambda raw: own_header(raw, secret),
        "its own header after sha256=": lambda raw: own_header(raw, secret, "sha256="),
        "the Standard Webhooks form": lambda raw: standard_headers(raw, secret),
        "the Standard Webhooks form by two keys": lambda raw: standard_headers(raw, "old", before),
    }
    raw = _new(context, event)
    _post(context, raw, forms[form](raw))


@step("the HIS sends the same webhook again")
def send_again(context: Any) -> None:
    _post(context, context.raw, context.headers)


@step("somebody sends {event:w} {how}")
def send_badly(context: Any, event: str, how: str) -> None:
    secret, _ = context.around.his_webhook_secrets
    raw = _new(context, event)
    ways: dict[str, Callable[[], None]] = {
        "without a signature": lambda: _post(context, raw, JSON),
        "signed with another secret": lambda: _post(context, raw, own_header(raw, secrets.token_hex(32))),
        "with a body changed after signing": lambda: _post(context, raw + b" ", own_header(raw, secret)),
        "signed six minutes ago": lambda: _post(context, raw, standard_headers(raw, secret, age=_TOO_OLD)),
        "with a token and no signature": lambda: _post(
            context, raw, JSON, token=tokens.internal(context.around, tokens.WRITE_HIS)
        ),
    }
    ways[how]()


@step("the HIS sends {event:w} to the endpoint of the laboratory")
def send_to_laboratory(context: Any, event: str) -> None:
    raw = _new(context, event)
    headers = own_header(raw, context.around.his_webhook_secrets[0])
    _post(context, raw, headers | {"X-LIS-Signature": headers["X-HIS-Signature"]}, "lis")


@step("the webhook is answered {status:w}")
def check_answer(context: Any, status: str) -> None:
    assert context.response.status_code == 200, context.response.text
    answer = context.response.json()
    assert (answer["success"], answer["status"]) == (True, status), answer
    assert answer["id"]


@step("the webhook is refused with {status:d}")
def check_refused(context: Any, status: int) -> None:
    assert context.response.status_code == status, context.response.text
    assert set(context.response.json()) == {"error", "details"}


@step("the event {code:w} of the visit arrives once")
def check_event(context: Any, code: str) -> None:
    def codes() -> list[str]:
        deliveries = context.events.of_encounter(context.stay.admission_id)
        return [each.action("process_event")["event_code"] for each in deliveries]

    context.events.wait_until(lambda: bool(codes()), f"event {code}")
    first = context.stay
    send(context, "VISIT_COMPLETED", "its own header")  # when it is there, what came before it is
    context.events.wait_until(lambda: bool(codes()), "event of a later visit")
    context.stay = first
    assert codes() == [code], codes()


@step("a search by MRN finds nothing of the webhook")
def check_nothing_kept(context: Any) -> None:
    assert context.connector.by_identifier("MRN", context.stay.patient_id) == []

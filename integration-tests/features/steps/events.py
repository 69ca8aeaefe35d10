"""Steps of a system that tells of events: context.key is its API key, context.told what it last sent."""

import secrets
from typing import Any

from behave import step
from requests import Response

from driver import tokens
from driver.platform import Delivery

_EVENTS, _KEYS = "/api/integrations/events/", "/api/integrations/api-keys/"


def _as_platform(context: Any, path: str, body: dict[str, Any] | None = None) -> Response:
    token = tokens.internal(context.around, "admin:his read:his write:his")
    response: Response = context.connector.request("POST", path, token=token, json=body or {})
    assert response.ok, response.text
    return response


def _as_system(context: Any, path: str, body: Any, **headers: str) -> None:
    headers["X-API-Key"] = context.key
    context.response = context.connector.request("POST", path, json=body, headers=headers)


def _event(context: Any, code: str) -> dict[str, Any]:
    return {
        "source_system": context.source,
        "event_code": code,
        "encounter_id": f"V{secrets.token_hex(6)}",
        "patient_identifier": "900001",
        "payload_json": {"department_code": "CARD", "timestamp": "2025-06-05T11:06:00+03:00"},
    }


def _arrived(context: Any, encounter: str) -> list[Delivery]:
    found: list[Delivery] = context.events.of_encounter(encounter)
    return found


def _codes(context: Any) -> list[str]:
    deliveries = _arrived(context, context.told["encounter_id"])
    return [each.action("process_event")["event_code"] for each in deliveries]


@step("a system with an API key")
def with_key(context: Any) -> None:
    context.source = f"clinic{secrets.token_hex(4)}"
    answer = _as_platform(context, _KEYS, {"source_system": context.source}).json()
    context.key, context.key_id = answer["api_key"], answer["key"]["id"]


@step("the system tells of the event {code}")
def tell(context: Any, code: str) -> None:
    context.told = _event(context, code)
    _as_system(context, _EVENTS, context.told)


@step("the system has told of the event {code} under an Idempotency-Key")
def told_under_key(context: Any, code: str) -> None:
    context.told, context.idempotency = _event(context, code), secrets.token_hex(16)
    _as_system(context, _EVENTS, context.told, **{"Idempotency-Key": context.idempotency})
    context.first = context.response
    assert context.first.status_code == 201, context.first.text


@step("the system has told of the event {code}")
def have_told(context: Any, code: str) -> None:
    tell(context, code)
    assert context.response.status_code == 201, context.response.text
    check_arrived(context, code)


@step("it sends the same request again")
def send_again(context: Any) -> None:
    _as_system(context, _EVENTS, context.told, **{"Idempotency-Key": context.idempotency})


@step("it sends another event under that key")
def send_other(context: Any) -> None:
    other = _event(context, "OTHER")
    _as_system(context, _EVENTS, other, **{"Idempotency-Key": context.idempotency})


@step("it gets the first answer again")
def check_same(context: Any) -> None:
    assert (context.response.status_code, context.response.content) == (201, context.first.content)


@step("it is refused with {status:d}")
def check_refused(context: Any, status: int) -> None:
    assert context.response.status_code == status, context.response.text
    assert set(context.response.json()) == {"error", "details"}


@step("it is answered with {status:d} and status {state}")
def check_answer(context: Any, status: int, state: str) -> None:
    assert context.response.status_code == status, context.response.text
    answer = context.response.json()
    assert (answer["encounter_id"], answer["status"]) == (context.told["encounter_id"], state)


@step("the event arrives as {code}")
def check_arrived(context: Any, code: str) -> None:
    context.events.wait_until(lambda: _codes(context) == [code], f"event {code}")


@step("a list of the encounter's events shows it as processed or on its way")
def check_listed(context: Any) -> None:
    token = tokens.internal(context.around, "read:his")
    query = {"encounter_id": context.told["encounter_id"]}
    page = context.connector.request("GET", _EVENTS, token=token, params=query).json()
    assert page["count"] == 1, page
    assert page["results"][0]["status"] in ("pending", "processing", "processed")


@step("the system tells of {number:d} events at once, the {broken:d}th of them broken")
def tell_many(context: Any, number: int, broken: int) -> None:
    context.many = [_event(context, "LAB_DONE") for _ in range(number)]
    del context.many[broken - 1]["encounter_id"]
    _as_system(context, f"{_EVENTS}bulk_create/", {"events": context.many})


@step("{created:d} are created and the {broken:d}th is named as failed")
def check_many(context: Any, created: int, broken: int) -> None:
    assert context.response.status_code == 201, context.response.text
    answer = context.response.json()
    assert (answer["created"], answer["failed"]) == (created, 1), answer
    assert [each["index"] for each in answer["errors"]] == [broken - 1], answer["errors"]


@step("{number:d} events arrive")
def check_many_arrived(context: Any, number: int) -> None:
    encounters = [each["encounter_id"] for each in context.many if "encounter_id" in each]
    assert len(encounters) == number
    context.events.wait_until(
        lambda: all(len(_arrived(context, each)) == 1 for each in encounters), "events of the bulk request"
    )


@step("the platform says that its {code} means {meaning}, and applies that")
def map_code(context: Any, code: str, meaning: str) -> None:
    body = {"source_system": context.source, "event_code": code, "canonical_code": meaning}
    _as_platform(context, f"{_EVENTS}mappings/", body)
    context.mapped = {"source_system": context.source, "event_code": code}
    apply_mapping(context)


@step("the platform applies it once more")
def apply_mapping(context: Any) -> None:
    _as_platform(context, f"{_EVENTS}mappings/apply/", context.mapped)


@step("the event arrives again as {meaning} under another message id")
def check_again(context: Any, meaning: str) -> None:
    context.events.wait_until(lambda: len(_codes(context)) == 2, "event with its new meaning")
    assert _codes(context)[1] == meaning, _codes(context)
    deliveries = _arrived(context, context.told["encounter_id"])
    assert len({each.properties.message_id for each in deliveries}) == 2


@step("nothing more arrives of it")
def check_nothing(context: Any) -> None:
    first = context.told
    tell(context, "LATER")  # what was sent before has arrived by then, or never will
    context.events.wait_until(lambda: _codes(context) == ["LATER"], "a later event")
    context.told = first
    assert len(_codes(context)) == 2


@step("the platform revokes the key")
def revoke(context: Any) -> None:
    _as_platform(context, f"{_KEYS}{context.key_id}/revoke/")

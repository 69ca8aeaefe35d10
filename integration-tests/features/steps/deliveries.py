"""Steps about what becomes of what was posted: at the destination, and as an engineer sees it."""

from typing import Any

from behave import register_type, step
from parse import with_pattern

from driver import tokens
from driver.observations import Oru
from driver.waiting import eventually


@with_pattern("the EPR|Mirth")
def _destination(text: str) -> str:
    """The destination's name, from what the features call it."""
    return "epr" if text == "the EPR" else "mirth"


register_type(Destination=_destination)


def received(context: Any, outgoing: Any) -> list[str]:
    """What its destination has taken of it so far, as text."""
    return [text for text in context.destinations[outgoing.destination].taken() if outgoing.is_in(text)]


def message_of(context: Any, outgoing: Any) -> dict[str, Any]:
    """The newest message about it as the Connector shows it."""
    found: dict[str, Any] = context.connector.by_control_id(outgoing.control_id)[0]
    return found


def delivery_of(context: Any, message: dict[str, Any]) -> dict[str, Any]:
    """The message's delivery with every attempt."""
    (found,) = context.connector.deliveries(message_uuid=message["uuid"])
    shown: dict[str, Any] = context.connector.delivery(found["uuid"])
    return shown


def _wait_for_state(context: Any, state: str, attempts: int = 0) -> dict[str, Any]:
    """The delivery of what was posted last, once it is in that state after so many attempts."""
    message = message_of(context, context.posted[-1])

    def look() -> dict[str, Any] | None:
        found = delivery_of(context, message)
        return found if found["state"] == state and found["attempts"] >= attempts else None

    return eventually(look, f"delivery that is {state}")


@step("the line to {whom:Destination} is cut")
def cut_line(context: Any, whom: str) -> None:
    context.network.cut(whom)


@step("the line to {whom:Destination} is mended")
def mend_line(context: Any, whom: str) -> None:
    context.network.restore(whom)


@step('{whom:Destination} answers "{behaviour}"')
def misbehave(context: Any, whom: str, behaviour: str) -> None:
    context.destinations[whom].behave(behaviour)


@step('{whom:Destination} answers "{behaviour}" once')
def misbehave_once(context: Any, whom: str, behaviour: str) -> None:
    context.destinations[whom].behave(behaviour, "accept")


@step("{whom:Destination} is well again")
def behave_well(context: Any, whom: str) -> None:
    context.destinations[whom].behave()


@step("{whom:Destination} needs {seconds:g} seconds for each message")
def slow_down(context: Any, whom: str, seconds: float) -> None:
    context.destinations[whom].behave(delay=seconds)


@step("{whom:Destination} receives it")
@step("{whom:Destination} has received it")
def wait_for_arrival(context: Any, whom: str) -> None:
    outgoing = context.posted[-1]
    assert outgoing.destination == whom
    texts = eventually(lambda: received(context, outgoing), f"message that {whom} received")
    context.arrived = texts[-1]
    _wait_for_state(context, "delivered")


@step("{whom:Destination} receives it unchanged")
def check_unchanged(context: Any, whom: str) -> None:
    wait_for_arrival(context, whom)
    assert received(context, context.posted[-1]) == [context.posted[-1].content]


@step("{whom:Destination} receives all of them")
def wait_for_all(context: Any, whom: str) -> None:
    for outgoing in context.posted:
        message = message_of(context, outgoing)
        eventually(lambda: delivery_of(context, message)["state"] == "delivered", "delivered message")  # noqa: B023  called at once
        assert received(context, outgoing), f"{whom} has not received what counts as delivered"


@step("what was received more than once is marked as ambiguous")
def check_marked(context: Any) -> None:
    more_than_once = 0
    for outgoing in context.posted:
        delivery = delivery_of(context, message_of(context, outgoing))
        times = len(received(context, outgoing))
        assert times <= 1 + delivery["ambiguous"], f"received {times} times: {delivery}"
        more_than_once += times > 1
    assert more_than_once, "nothing was under way when the process was killed"


@step('it was called under the request id "{request_id}"')
def check_request_id(context: Any, request_id: str) -> None:
    outgoing = context.posted[-1]
    attempts = context.destinations[outgoing.destination].attempts(outgoing.key)
    assert {each["request_id"] for each in attempts} == {request_id}, attempts


@step("nobody has followed Mirth to where nobody may go")
def check_tripwire(context: Any) -> None:
    assert context.destinations["mirth"].tripped() == 0


@step("it is kept as {state:w} with ack_status {code:w}")
def check_message(context: Any, state: str, code: str) -> None:
    outgoing = context.posted[-1]
    _wait_for_state(context, state)
    kept = message_of(context, outgoing)
    found = (kept["state"], kept["ack_status"] or "none", kept["is_processed"])
    assert found == (state, code, state == "delivered"), found
    receiver = {"epr": "tie", "mirth": "mirth"}[outgoing.destination]
    assert (kept["src_description"], kept["dst_description"]) == ("dhos", receiver)
    assert all(text == kept["content"] for text in received(context, outgoing)), "other text is kept"


@step("what was posted is found by {kind}")
def check_found(context: Any, kind: str) -> None:
    outgoing = context.posted[-1]
    if kind in ("control id", "document id"):
        found = context.connector.by_control_id(outgoing.control_id)
    else:
        found = context.connector.by_identifier(kind, context.patient.identifier(kind))
    assert [each["message_control_id"] for each in found] == [outgoing.control_id]
    assert (found[0]["state"], found[0]["is_processed"]) == ("delivered", True)


@step("its delivery is {state:w} after these attempts")
def check_attempts(context: Any, state: str) -> None:
    expected = [row.as_dict() for row in context.table]
    history = _wait_for_state(context, state, len(expected))["history"]
    found = [{name: str(each[name] or "") for name in context.table.headings} for each in history]
    assert found == expected, found


@step("its delivery waits after an attempt that found no connection")
def check_waits(context: Any) -> None:
    first = _wait_for_state(context, "waiting", 1)["history"][0]
    assert (first["outcome"], first["http_status"]) == ("transient", None), first
    assert first["error"].startswith("no connection"), first


@step("every attempt was made with the same message")
def check_same_message(context: Any) -> None:
    outgoing = context.posted[-1]
    history = delivery_of(context, message_of(context, outgoing))["history"]
    attempts = context.destinations[outgoing.destination].attempts(outgoing.key)
    assert len(attempts) == len(history) > 1
    assert len(set(received(context, outgoing))) == 1


@step("an engineer finds it among the dead deliveries to {whom:Destination}")
def check_dead(context: Any, whom: str) -> None:
    delivery = _wait_for_state(context, "dead")
    found = context.connector.deliveries(state="dead", destination=whom)
    assert {(each["state"], each["destination"]) for each in found} == {("dead", whom)}
    assert found[0]["uuid"] == delivery["uuid"], "it is not the newest"

    def is_counted() -> bool:
        counted = context.connector.metric("connector_deliveries_dead", destination=whom)
        return bool(counted == len(found))

    eventually(is_counted, f"count of {len(found)} dead deliveries to {whom}")


@step("an engineer retries it")
def retry(context: Any) -> None:
    delivery = delivery_of(context, message_of(context, context.posted[-1]))
    context.connector.operate("retry", delivery["uuid"])


@step("an engineer cancels it")
def cancel(context: Any) -> None:
    delivery = delivery_of(context, message_of(context, context.posted[-1]))
    assert context.connector.operate("cancel", delivery["uuid"])["state"] == "cancelled"


@step("somebody who may only write asks for the deliveries")
def ask_without_scope(context: Any) -> None:
    token = tokens.internal(context.around, tokens.WRITE)
    context.response = context.connector.request("GET", "/dhos/v1/delivery", token=token)


@step("at least {number:d} delivery to {whom:Destination} is counted as waiting")
def check_waiting_count(context: Any, number: int, whom: str) -> None:
    def is_so() -> bool:
        counted = context.connector.metric("connector_deliveries_waiting", destination=whom)
        return bool(counted >= number)

    eventually(is_so, f"waiting delivery to {whom}")


@step("the delivery process is killed while it is sending")
def kill_deliver(context: Any) -> None:
    def is_sending() -> bool:
        begun = [each for each in context.posted if received(context, each)]
        return any(delivery_of(context, message_of(context, each))["state"] == "sending" for each in begun)

    eventually(is_sending, "message that is under way")
    context.stack.deliver.kill()


@step("the delivery process is started again")
def start_deliver(context: Any) -> None:
    context.stack.deliver.start()


@step("the EPR received the correction alone")
def check_correction(context: Any) -> None:
    original, correction = context.posted
    assert original.control_id == correction.control_id
    (text,) = received(context, correction)
    rates = [each["value"] for each in Oru.read(text).observations() if each["code"] == "HR"]
    assert rates == [str(correction.heart_rate)]


@step("the delivery of the original was superseded by that of the correction")
def check_superseded(context: Any) -> None:
    newer, older = context.connector.by_control_id(context.posted[-1].control_id)
    assert (older["state"], newer["state"]) == ("superseded", "delivered")
    superseded = delivery_of(context, older)
    assert superseded["state"] == "superseded"
    assert superseded["superseded_by"] == delivery_of(context, newer)["uuid"]

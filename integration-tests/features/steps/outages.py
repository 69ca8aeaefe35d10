"""Steps that break and mend what stands around the Connector, and ask how it is."""

from typing import Any

from behave import step

from driver.waiting import eventually


@step("RabbitMQ is away")
def cut_network(context: Any) -> None:
    context.network.cut("rabbitmq")


@step("RabbitMQ is back")
def restore_network(context: Any) -> None:
    context.network.restore("rabbitmq")


@step("the relay is killed")
def kill_relay(context: Any) -> None:
    context.stack.relay.kill()


@step("the relay is started again")
def start_relay(context: Any) -> None:
    context.stack.relay.start()


@step("the Connector is running and ready")
def check_probes(context: Any) -> None:
    running, ready = (context.connector.request("GET", path) for path in ("/running", "/ready"))
    assert (running.status_code, running.json()) == (200, {"running": True})
    assert (ready.status_code, ready.json()) == (200, {"ready": True})


@step("it tells its version")
def check_version(context: Any) -> None:
    version = context.connector.request("GET", "/version")
    assert version.status_code == 200
    assert {"circle", "hash"} <= set(version.json())


@step("the count of {event:w} answered {code:w}")
def note_count(context: Any, event: str, code: str) -> None:
    context.counted = {"event": event, "ack": code}
    context.count = context.connector.metric("connector_messages_received_total", **context.counted)


@step("the count has grown by {number:d}")
def check_count(context: Any, number: int) -> None:
    def has_grown() -> bool:
        now = context.connector.metric("connector_messages_received_total", **context.counted)
        return bool(now - context.count == number)

    eventually(has_grown, f"growth by {number}")


@step("the trustomer service fails")
def fail_trustomer(context: Any) -> None:
    context.failures = context.trustomer.answered(503)
    context.trustomer.order(failing=True)


@step("the Connector has noticed that")
def wait_for_failure(context: Any) -> None:
    def asked() -> bool:
        context.execute_steps("When the EPR sends an admission")
        return context.trustomer.answered(503) > context.failures

    eventually(asked, "request to the failing trustomer service")


@step("the trustomer service says that pre-admissions are not taken")
def narrow(context: Any) -> None:
    taken = ["A01", "A03", "A08", "A29", "A40"]
    context.trustomer.order(inbound={"accepted": {"ADT": taken}})


@step("the trustomer service has given its configuration")
def check_asked(context: Any) -> None:
    assert context.trustomer.answered(200) > 0


@step("the trustomer service has refused nobody")
def check_not_refused(context: Any) -> None:
    assert not any(context.trustomer.answered(status) for status in (400, 401, 404))

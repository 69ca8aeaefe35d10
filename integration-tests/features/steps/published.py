"""Steps that look at what arrives on RabbitMQ."""

from typing import Any

from behave import step

from driver.messages import SEX_CODES, adt
from driver.platform import EVENT_KEY, Platform
from driver.waiting import BACK_OFF, eventually

_PERSISTENT = 2


def _wait_for_another(context: Any) -> None:
    """Send one more message and see it arrive: what was sent before has arrived by then, or never will."""
    answer = context.connector.post(adt("A08", context.sender, context.patient))
    answer.ack.expect("AA")
    context.platform.wait_for(answer.uuid)


def _arrived(context: Any) -> list[str]:
    """The uuids of what has arrived of the messages sent, as often as they have arrived."""
    sent = {answer.uuid for _, answer in context.sent}
    return [each.message_uuid for each in context.platform.arrived if each.message_uuid in sent]


@step("the platform receives its envelope")
@step("the platform has received its envelope")
def wait_for_envelope(context: Any) -> None:
    context.envelope = context.platform.wait_for(context.sent[-1][1].uuid)


@step("the platform receives exactly one envelope of it")
def check_one_envelope(context: Any) -> None:
    _wait_for_another(context)
    assert len(context.platform.of(context.sent[-1][1].uuid)) == 1


@step("the platform receives nothing of it")
def check_no_envelope(context: Any) -> None:
    _wait_for_another(context)
    assert not context.platform.of(context.sent[-1][1].uuid)


@step("the envelope holds the actions {first:w}, {second:w}, {third:w} and {fourth:w}")
def check_actions(context: Any, *_: str, **names: str) -> None:
    body = context.envelope.body
    assert set(body) == {"dhos_connector_message_uuid", "actions"}
    assert all(set(each) == {"name", "data"} for each in body["actions"])
    assert {each["name"] for each in body["actions"]} == set(names.values())


@step("the envelope describes the patient, the ward and the encounter")
def check_content(context: Any) -> None:
    patient, envelope = context.patient, context.envelope
    ward = {"epr_ward_code": "WARD 1", "epr_bay_code": "BAY 2", "epr_bed_code": "BED 3"}
    assert envelope.action("process_patient") == {
        "first_name": patient.first_name,
        "last_name": patient.last_name,
        "sex_sct": SEX_CODES[patient.sex],
        "nhs_number": patient.nhs_number,
        "mrn": patient.mrn,
        "date_of_birth": "1970-01-31",
    }
    assert envelope.action("process_location") == {"location": ward}
    encounter = envelope.action("process_encounter")
    assert (encounter["epr_encounter_id"], encounter["location"]) == (patient.visit, ward)
    assert encounter["admitted_at"] == patient.admitted.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    event = envelope.action("process_event")
    assert event["event_code"] == "ADT_A01"
    assert event["patient"] == {"mrn": patient.mrn, "nhs_number": patient.nhs_number}


@step('it is persistent, has the content type application/text and the correlation id "{correlation_id}"')
def check_properties(context: Any, correlation_id: str) -> None:
    properties = context.envelope.properties
    assert properties.delivery_mode == _PERSISTENT
    assert properties.content_type == "application/text"
    assert properties.correlation_id == correlation_id
    assert properties.timestamp


@step("its message id is that of its event")
def check_message_id(context: Any) -> None:
    assert context.envelope.properties.message_id == context.envelope.action("process_event")["event_uuid"]


@step("the envelope of the merge names the old MRN as the previous one")
def check_merge_envelope(context: Any) -> None:
    patient = context.platform.wait_for(context.sent[-1][1].uuid).action("process_patient")
    assert (patient["mrn"], patient["previous_mrn"]) == (context.patient.mrn, context.old_patient.mrn)


@step("the platform receives all of them once and in order")
def check_all_once(context: Any) -> None:
    sent = [answer.uuid for _, answer in context.sent]
    context.platform.wait_for(sent[-1], BACK_OFF)
    _wait_for_another(context)
    assert _arrived(context) == sent


@step("the platform receives all of them at least once, in order, each under one message id")
def check_all_at_least_once(context: Any) -> None:
    sent = [answer.uuid for _, answer in context.sent]
    context.platform.wait_for(sent[-1], BACK_OFF)
    assert list(dict.fromkeys(_arrived(context))) == sent
    for uuid in sent:
        assert len({each.properties.message_id for each in context.platform.of(uuid)}) == 1


@step("at least {number:d} envelopes wait to be published")
def check_waiting(context: Any, number: int) -> None:
    eventually(lambda: context.connector.metric("connector_outbox_waiting") >= number, "waiting envelopes")


@step("its event waits to be published")
def check_event_waits(context: Any) -> None:
    context.deletion = context.sent[-1][1].uuid
    eventually(
        lambda: context.connector.metric("connector_outbox_waiting", routing_key=EVENT_KEY) >= 1,
        "waiting event",
    )


@step("somebody binds a queue to the events")
def bind_events(context: Any) -> None:
    context.events = Platform(context.around, EVENT_KEY)
    context.add_cleanup(context.events.leave)


@step("the deletion's event arrives there once")
def check_event(context: Any) -> None:
    delivery = context.events.wait_for(context.deletion, BACK_OFF)
    assert [each["name"] for each in delivery.body["actions"]] == ["process_event"]
    assert delivery.action("process_event")["event_code"] == "ADT_A29"
    eventually(
        lambda: context.connector.metric("connector_outbox_waiting", routing_key=EVENT_KEY) == 0,
        "settled event",
    )
    assert len(context.events.of(context.deletion)) == 1

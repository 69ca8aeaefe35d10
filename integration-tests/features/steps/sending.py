"""Steps that send messages: context.sent keeps each with its answer, the newest last."""

import base64
from dataclasses import replace
from typing import Any

from behave import step

from driver import tokens
from driver.connector import Answer
from driver.messages import Message, Patient, adt
from driver.waiting import eventually


def send(context: Any, message: Message, **options: Any) -> Answer:
    """Send a message and remember it."""
    answer: Answer = context.connector.post(message, **options)
    context.sent.append((message, answer))
    return answer


def _new(context: Any, trigger: str, **options: Any) -> Message:
    return adt(trigger, context.sender, context.patient, **options)


@step("the EPR sends an admission")
def send_admission(context: Any) -> None:
    send(context, _new(context, "A01"))


@step('the EPR sends an admission with the request id "{request_id}"')
def send_admission_with_request_id(context: Any, request_id: str) -> None:
    send(context, _new(context, "A01"), request_id=request_id)


@step("the EPR has sent an admission")
def have_sent_admission(context: Any) -> None:
    send(context, _new(context, "A01")).ack.expect("AA")


@step("the EPR has sent a discharge")
def have_sent_discharge(context: Any) -> None:
    send(context, _new(context, "A03")).ack.expect("AA")


@step("the EPR sends {number:d} admissions")
def send_admissions(context: Any, number: int) -> None:
    for _ in range(number):
        send(context, _new(context, "A01"))


@step("the EPR has sent {number:d} admissions")
def have_sent_admissions(context: Any, number: int) -> None:
    for _ in range(number):
        send(context, _new(context, "A01")).ack.expect("AA")


@step("the EPR sends an admission as application/hl7-v2")
def send_raw(context: Any) -> None:
    message = _new(context, "A01")
    context.sent.append((message, context.connector.post_raw(message)))


@step("the platform itself sends an admission")
def send_as_platform(context: Any) -> None:
    message = _new(context, "A01")
    token = tokens.internal(context.around, tokens.WRITE)
    context.sent.append((message, context.connector.post(message, token=token)))


@step("the EPR sends a deletion of a person")
def send_deletion(context: Any) -> None:
    send(context, _new(context, "A29"))


@step("the EPR sends pre-admissions until one is refused")
def send_until_refused(context: Any) -> None:
    eventually(lambda: send(context, _new(context, "A05")).ack.code != "AA", "refusal")


@step("the EPR sends the same message again")
def send_again(context: Any) -> None:
    send(context, context.sent[-1][0])


@step("the EPR sends another message with the same control id")
def send_other_content(context: Any) -> None:
    send(context, _new(context, "A01", ward="WARD 9", control_id=context.sent[-1][0].control_id))


@step("the EPR has sent an admission under an old MRN")
def send_under_old_mrn(context: Any) -> None:
    context.old_patient, context.patient = context.patient, Patient()
    send(context, adt("A01", context.sender, context.old_patient)).ack.expect("AA")


@step("the EPR sends a merge of the old MRN into a surviving one")
def send_merge(context: Any) -> None:
    send(context, _new(context, "A40", merged_mrn=context.old_patient.mrn))


@step("the EPR sends a message with an unknown trigger")
def send_unknown_trigger(context: Any) -> None:
    send(context, _new(context, "A99"))


@step("the EPR sends a message of an unknown type")
def send_unknown_type(context: Any) -> None:
    message = _new(context, "A01")
    header, *rest = message.segments
    send(context, replace(message, segments=(header.replace("ADT^A01", "DFT^P03"), *rest)))


@step("the EPR sends two messages in one")
def send_two_in_one(context: Any) -> None:
    message = _new(context, "A01")
    send(context, replace(message, segments=message.segments + _new(context, "A01").segments))


@step("the EPR sends an admission without a PID")
def send_without_pid(context: Any) -> None:
    send(context, _new(context, "A01").without("PID"))


@step("the EPR sends an admission without a patient identifier")
def send_without_identifier(context: Any) -> None:
    message = _new(context, "A01")
    segments = tuple("PID|1||||EXAMPLE^ANN" if each.startswith("PID") else each for each in message.segments)
    send(context, replace(message, segments=segments))


@step("the EPR sends bytes that are no HL7 message")
def send_nonsense(context: Any) -> None:
    body = {"type": "HL7v2", "body": base64.b64encode(b"this is no HL7 message").decode()}
    token = tokens.epr_adapter(context.around)
    context.response = context.connector.request("POST", "/dhos/v1/message", token=token, json=body)

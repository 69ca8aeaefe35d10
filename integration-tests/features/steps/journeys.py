"""Steps about journeys: context.encounter is the stay at hand, context.journey what was last read of it."""

import json
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from behave import step

from driver import his, tokens
from driver.his import JSON, PATIENT_DATA, Stay
from driver.organizations import new_body
from driver.platform import Platform
from driver.waiting import eventually

_JOURNEYS, _EVENTS = "/api/journeys/instances/", "/api/integrations/events/"
_HOSPITALS = "/api/organizations/hospitals/"
_PX_KEY, _QUEUE = "dhos.px_event", "dhos-connector-px"
_VISITS = ("Consultation", "Doctor Visited", "Clinical Condtion", "ChiefComplaint", "Prescribed Drugs")
_COMMAND = (sys.executable, "-m", "dhos_connector_api")
#: The contract's fields of a journey's progress, and of each stage of it.
_PROGRESS = {
    *("journey_id", "encounter_id", "patient", "journey_type", "status", "completion_percentage"),
    *("is_complete", "started_at", "completed_at", "stages"),
}
_STAGE = {"name", "order", "status", "completed_at", "survey_sent"}


@step("the consumers run")
def consume(context: Any) -> None:
    context.announced = Platform(context.around, _PX_KEY)
    context.add_cleanup(context.announced.leave)
    context.add_cleanup(context.announced.remove, _QUEUE)
    context.stack.consume.start()
    context.add_cleanup(context.stack.consume.stop)
    eventually(lambda: context.announced.is_there(_QUEUE), "queue of the consumers")


def _ask(context: Any, method: str, path: str, status: int, **options: Any) -> Any:
    answer = context.admin.request(method, path, **options)
    assert answer.status_code == status, f"answered {answer.status_code}: {answer.text}"
    return answer.json()


@step('a hospital with a template of the stages "{triggers}"')
def make_template(context: Any, triggers: str) -> None:
    given = new_body("hospitals", None)
    context.hospital = _ask(context, "POST", "/api/organizations/hospitals/", 201, json=given)["id"]
    context.facility = given["code"]
    template = {"hospital": context.hospital, "journey_type": "inpatient", "name": "Stay", "is_default": True}
    context.template = _ask(context, "POST", "/api/journeys/templates/", 201, json=template)["id"]
    for number, trigger in enumerate(triggers.split(", "), 1):
        stage = {"journey_template": context.template, "name": trigger, "code": trigger, "order": number}
        body = {**stage, "trigger_event_code": trigger}
        _ask(context, "POST", "/api/journeys/stage-templates/", 201, json=body)


@step("the admin opens a journey of a new patient")
def open_journey(context: Any) -> None:
    patient = _ask(
        context, "POST", "/api/organizations/patients/", 201, json=new_body("patients", context.hospital)
    )
    context.encounter = f"ENC{secrets.token_hex(6)}"
    body = {"journey_template": context.template, "patient": patient["id"], "hospital": context.hospital}
    _ask(context, "POST", _JOURNEYS, 201, json={**body, "encounter_id": context.encounter})


@step('a system tells of the event "{code}" of the encounter')
def tell(context: Any, code: str) -> None:
    body = {
        "source_system": "clinic",
        "event_code": code,
        "encounter_id": context.encounter,
        "payload_json": {"timestamp": datetime.now(UTC).isoformat()},
    }
    token = tokens.internal(context.around, tokens.WRITE_HIS)
    answer = context.connector.request("POST", _EVENTS, token=token, json=body)
    assert answer.ok, answer.text


def _journey(context: Any) -> Any:
    found = _ask(context, "GET", _JOURNEYS, 200, params={"search": context.encounter})["results"]
    context.journey = found[0] if found else None
    return context.journey


@step("it is {status}, with {completed:d} of {count:d} stages completed")
def check(context: Any, status: str, completed: int, count: int) -> None:
    def is_so() -> bool:
        journey = _journey(context)
        return journey is not None and (
            (journey["status"], journey["completed_count"], journey["stage_count"])
            == (status, completed, count)
        )

    eventually(is_so, f"a journey that is {status}")


@step("its progress has the fields of the contract")
def check_progress(context: Any) -> None:
    progress = _ask(context, "GET", f"{_JOURNEYS}{context.journey['id']}/progress/", 200)
    assert set(progress) == _PROGRESS, progress
    assert all(set(each) == _STAGE for each in progress["stages"]), progress
    assert (progress["completion_percentage"], progress["is_complete"]) == (100, True)


@step("the HIS's hospital has the template of the HIS's visits")
def seed_his(context: Any) -> None:
    body = {**new_body("hospitals", None), "code": Stay().hospital}
    made = context.admin.request("POST", _HOSPITALS, json=body)
    assert made.status_code in (201, 400), made.text  # 400: another scenario has made it
    _run(context, "journeys", "seed-his", "--hospital", Stay().hospital)


def _run(context: Any, *command: str) -> None:
    subprocess.run((*_COMMAND, *command), env=context.stack.connector, check=True, capture_output=True)


@step('HL7 calls the HIS\'s hospital "{facility}"')
def name_hospital(context: Any, facility: str) -> None:
    found = _ask(context, "GET", _HOSPITALS, 200, params={"search": Stay().hospital})["results"]
    (hospital,) = (each["id"] for each in found if each["code"] == Stay().hospital)
    named = {"source": "hl7v2", "kind": "facility", "value": facility}
    _ask(context, "POST", f"{_HOSPITALS}{hospital}/identifiers/", 201, json=named)


@step("the HIS sends a patient with all five visits, and waits")
def send_all(context: Any) -> None:
    context.stay = Stay()
    for each in _VISITS:
        context.stay.see(each)
    token = tokens.internal(context.around, tokens.WRITE_HIS)

    def answered() -> bool:
        context.response = context.connector.request(
            "POST", f"{PATIENT_DATA}?wait=5", token=token, data=context.stay.payload(), headers=JSON
        )
        assert context.response.status_code == 200, context.response.text
        return bool(context.response.json()["journey_status"] != "pending")

    eventually(answered, "answer with a journey")


@step("it is answered with a completed journey of five stages")
def check_answer(context: Any) -> None:
    answer = context.response.json()
    assert (answer["journey_status"], answer["completed_stages"]) == ("completed", list(_VISITS)), answer
    context.encounter = context.stay.admission_id
    assert _journey(context)["id"] == answer["journey_id"]


@step("the journey is explained in English and in Arabic")
def check_explained(context: Any) -> None:
    path = f"{_JOURNEYS}{context.journey['id']}/explain/"
    _ask(context, "PUT", "/api/auth/users/update_profile/", 200, json={"language": "en"})
    english = _ask(context, "GET", path, 200)["sentences"]
    _ask(context, "PUT", "/api/auth/users/update_profile/", 200, json={"language": "ar"})
    arabic = _ask(context, "GET", path, 200)["sentences"]
    assert len(english) == len(arabic) > len(_VISITS)
    assert "MD Consultation" in json.dumps(english)
    assert all(any("\u0600" <= sign <= "\u06ff" for sign in each["text"]) for each in arabic)


def _hl7(context: Any, event: str, more: str = "", patient_class: str = "I") -> None:
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
    lines = [
        f"MSH|^~\\&|PAS|{context.facility}|CONN|OXF|{now}||ADT^{event}|{secrets.token_hex(8)}|P|2.5.1",
        f"EVN|{event}|{now}",
        f"PID|1||{context.mrn}^^^{context.facility}^MR||OTTER^RIVER||19820305|F",
        more or f"PV1|1|{patient_class}|WARD9{'|' * 16}{context.encounter}",
    ]
    headers = {"Content-Type": "application/hl7-v2"}
    token = tokens.internal(context.around, "write:hl7_message")
    answer = context.connector.request(
        "POST", "/dhos/v1/message", token=token, data="\r".join(lines).encode(), headers=headers
    )
    assert "MSA|AA" in answer.text, answer.text


@step("HL7 tells of the admission of a patient")
def admit(context: Any) -> None:
    context.mrn, context.encounter = f"M{secrets.token_hex(5)}", f"V{secrets.token_hex(6)}"
    _hl7(context, "A01")


@step("HL7 tells that the admission is cancelled")
def cancel(context: Any) -> None:
    _hl7(context, "A11")


@step("HL7 tells of a transfer")
def transfer(context: Any) -> None:
    _hl7(context, "A02")


@step("HL7 tells that the patient is another one")
def merge(context: Any) -> None:
    given_up, context.mrn = context.mrn, f"M{secrets.token_hex(5)}"
    _hl7(context, "A40", f"MRG|{given_up}^^^{context.facility}^MR")


@step("the journey is the other one's")
def check_patient(context: Any) -> None:
    def is_so() -> bool:
        journey = _journey(context)
        return journey is not None and journey["patient_mrn"] == context.mrn

    eventually(is_so, "journey of the patient who survived")


def _announced(context: Any, encounter: str) -> list[str]:
    """The names of what has been announced of that encounter so far."""
    actions = (each for delivery in context.announced.arrived for each in delivery.body["actions"])
    return [each["name"] for each in actions if each["data"].get("encounter_id") == encounter]


@step("that is announced once to whoever listens")
def check_announced(context: Any) -> None:
    first = context.encounter
    context.announced.wait_until(lambda: bool(_announced(context, first)), "announcement of a journey")
    # Another one: what was announced before it has arrived by then, or never will.
    admit(context)
    cancel(context)
    other = context.encounter
    context.announced.wait_until(lambda: bool(_announced(context, other)), "announcement of a later journey")
    assert _announced(context, first) == ["journey_cancelled"], _announced(context, first)


@step('HL7 tells of the same stay, at "{facility}"')
def tell_same_stay(context: Any, facility: str) -> None:
    context.facility, context.mrn = facility, context.stay.patient_id
    context.encounter = context.stay.admission_id
    _hl7(context, "A04", patient_class="O")


@step("a webhook tells {event:w} of the same stay")
def webhook_of_same_stay(context: Any, event: str) -> None:
    secret, _ = context.around.his_webhook_secrets
    raw = his.webhook(event, context.stay)
    headers = his.own_header(raw, secret)
    answer = context.connector.request("POST", "/api/v1/webhooks/his/events", data=raw, headers=headers)
    assert answer.ok, answer.text


@step("there is one journey of the stay, with {completed:d} of {count:d} stages completed")
def check_one(context: Any, completed: int, count: int) -> None:
    check(context, "active", completed, count)
    found = _ask(context, "GET", _JOURNEYS, 200, params={"search": context.encounter})
    assert found["count"] == 1, found


@step('its explanation names "{codes}"')
def check_evidence(context: Any, codes: str) -> None:
    def texts() -> str:
        explained = _ask(context, "GET", f"{_JOURNEYS}{context.journey['id']}/explain/", 200)
        return " ".join(each["text"] for each in explained["sentences"])

    eventually(lambda: all(each in texts() for each in codes.split(", ")), f"explanation of {codes}")


@step("each of the {number:d} stays is a completed journey, with a stage for each kind of visit")
def check_simulated(context: Any, number: int) -> None:
    def told() -> dict[str, set[str]]:
        """What has been told of each stay so far: the HIS's own words, in small letters."""
        found: dict[str, set[str]] = {}
        for each in context.events.arrived[context.before :]:
            event = each.action("process_event")
            word = event.get("source_code") or event["event_code"]
            found.setdefault(event["encounter_id"], set()).add(word.lower())
        return found

    def are_discharged() -> bool:
        return sum("his_discharged" in each for each in told().values()) == number

    context.events.wait_until(are_discharged, f"{number} discharges")
    for context.encounter, words in sorted(told().items()):
        check(context, "completed", len(words & {each.lower() for each in _VISITS}), len(_VISITS))

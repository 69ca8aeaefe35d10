"""Steps of a HIS that sends patient data: context.stay is its patient, context.response the last answer."""

import base64
import subprocess
import sys
from typing import Any

from behave import step

from driver import tokens
from driver.his import JSON, PATIENT_DATA, Stay
from driver.platform import EVENT_KEY, Delivery, Platform


@step("somebody consumes the events")
def consume_events(context: Any) -> None:
    context.events = Platform(context.around, EVENT_KEY)
    context.add_cleanup(context.events.leave)


def _send(context: Any) -> None:
    context.raw = context.stay.payload()
    _post(context)


def _post(context: Any) -> None:
    token = tokens.internal(context.around, tokens.WRITE_HIS)
    context.response = context.connector.request(
        "POST", PATIENT_DATA, token=token, data=context.raw, headers=JSON
    )


@step("the HIS sends a new patient")
def send_new_patient(context: Any) -> None:
    context.stay = Stay()
    _send(context)


@step('the HIS has sent a patient with the visit "{type_}"')
def have_sent_patient(context: Any, type_: str) -> None:
    context.stay = Stay()
    context.stay.see(type_)
    _send(context)
    assert context.response.status_code == 200, context.response.text


@step('the HIS adds the visit "{type_}"')
def add_visit(context: Any, type_: str) -> None:
    context.stay.see(type_)
    _send(context)


@step("the HIS sends the patient home")
def send_home(context: Any) -> None:
    context.stay.send_home()
    _send(context)


@step("the HIS sends the same bytes again")
def send_same_bytes(context: Any) -> None:
    _post(context)


@step("the HIS forgets all visits and sends the patient again")
def forget_visits(context: Any) -> None:
    context.stay.visits.clear()
    _send(context)


@step('the HIS sends a patient of the hospital "{hospital}"')
def send_elsewhere(context: Any, hospital: str) -> None:
    context.stay = Stay(hospital=hospital)
    _send(context)


@step('the HIS sends a patient admitted on "{date}"')
def send_bad_date(context: Any, date: str) -> None:
    context.stay = Stay(admitted=date)
    _send(context)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


@step('it is answered with the stages "{completed}" of which "{new}" are new')
@step('it is answered with the stages "{completed}" of which "" are new')
@step('it is answered with the stages "" of which "" are new')
def check_stages(context: Any, completed: str = "", new: str = "") -> None:
    assert context.response.status_code == 200, context.response.text
    answer = context.response.json()
    assert answer["success"] is True
    assert (answer["patient_id"], answer["encounter_id"]) == (
        context.stay.patient_id,
        context.stay.admission_id,
    )
    assert answer["completed_stages"] == _listed(completed), answer["completed_stages"]
    assert answer["new_stages"] == _listed(new), answer["new_stages"]


def _of_stay(context: Any) -> list[Delivery]:
    """What has arrived of the scenario's stay so far."""
    found: list[Delivery] = context.events.of_encounter(context.stay.admission_id)
    return found


def _codes(deliveries: list[Delivery]) -> list[str]:
    return [each.action("process_event")["event_code"] for each in deliveries]


@step("the events {codes} of the stay arrive once and in this order")
def check_events(context: Any, codes: str) -> None:
    wanted = _listed(codes)
    context.events.wait_until(lambda: len(_of_stay(context)) >= len(wanted), f"events {codes}")
    # A further patient of the same hospital: what was sent before has arrived by then, or never will.
    first, context.stay = context.stay, Stay()
    _send(context)
    context.events.wait_until(lambda: bool(_of_stay(context)), "event of a later patient")
    context.stay = first
    assert _codes(_of_stay(context)) == wanted, _codes(_of_stay(context))


@step("each comes with the patient and the encounter")
def check_companions(context: Any) -> None:
    for each in _of_stay(context):
        names = [action["name"] for action in each.body["actions"]]
        assert names == ["process_patient", "process_encounter", "process_event"], names
        patient, encounter = each.action("process_patient"), each.action("process_encounter")
        assert (patient["mrn"], patient["first_name"]) == (context.stay.patient_id, "سارة")
        assert encounter["epr_encounter_id"] == context.stay.admission_id
        assert each.properties.message_id


@step("a search by MRN and by Visit ID finds the payload as accepted, with its bytes")
def find_accepted(context: Any) -> None:
    by_mrn = _found(context, "MRN", context.stay.patient_id, "accepted")
    by_visit = _found(context, "Visit ID", context.stay.admission_id, "accepted")
    assert by_mrn["uuid"] == by_visit["uuid"]
    assert (by_mrn["src_description"], by_mrn["dst_description"]) == ("his", "dhos")


@step("a search by MRN finds the payload as refused, with its bytes")
def find_refused(context: Any) -> None:
    _found(context, "MRN", context.stay.patient_id, "refused")


def _found(context: Any, kind: str, value: str, state: str) -> dict[str, Any]:
    (found,) = context.connector.by_identifier(kind, value)
    assert found["state"] == state, found["state"]
    assert base64.b64decode(found["body"]) == context.raw
    message: dict[str, Any] = found
    return message


@step('it is answered {status:d} with the error "{error}"')
def check_error(context: Any, status: int, error: str) -> None:
    assert context.response.status_code == status, context.response.text
    assert context.response.json()["error"] == error, context.response.text


@step('the details name "{name}"')
def check_details(context: Any, name: str) -> None:
    assert list(context.response.json()["details"]) == [name], context.response.text


@step("a simulated HIS sends {number:d} patients with webhooks")
def simulate(context: Any, number: int) -> None:
    command = [sys.executable, "-m", "dhos_connector_api", "simulate", "his", "--hospital", "ALH-main"]
    options = ["--num-patients", str(number), "--rate", "0", "--webhooks", "--url", context.around.connector]
    context.before = len(context.events.arrived)
    context.simulated = subprocess.run(
        [*command, *options], env=context.stack.connector, capture_output=True, text=True, check=False
    )


@step("every answer is what it should be")
def check_simulation(context: Any) -> None:
    done = context.simulated
    assert done.returncode == 0, done.stdout + done.stderr
    assert "new stages" in done.stdout, done.stdout


@step("{number:d} stays have been admitted and discharged, each once")
def check_simulated_events(context: Any, number: int) -> None:
    def codes() -> list[str]:
        return _codes(context.events.arrived[context.before :])

    for code in ("HIS_ADMITTED", "HIS_DISCHARGED"):
        context.events.wait_until(lambda code=code: codes().count(code) >= number, f"{number} {code}")
        assert codes().count(code) == number, codes()

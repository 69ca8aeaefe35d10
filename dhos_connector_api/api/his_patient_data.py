"""HIS patient data over HTTP: a patient in, and what is known of the stay and its journey back."""

import time
from threading import BoundedSemaphore, Event
from typing import Any
from uuid import UUID

import flask

from dhos_connector_api.actions.his.events import SOURCE
from dhos_connector_api.api.services import services
from dhos_connector_api.api.taking import taken
from dhos_connector_api.errors import SourceNotAllowed
from dhos_connector_api.events import store as events
from dhos_connector_api.http import call
from dhos_connector_api.http.paging import json_answer
from dhos_connector_api.intake.arrival import Receipt
from dhos_connector_api.intake.his_patients import Refusal, Result
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.px.journeys.standing import PENDING, Standing, Stay, applied, standing
from dhos_connector_api.px.journeys.told import Rules

#: Seconds between two looks at what the consumer has done, and requests of a process that look at once:
#: each holds a thread. Those beyond are answered without waiting.
_LOOK, _AT_ONCE = 0.05, 4
_waiting, _never = BoundedSemaphore(_AT_ONCE), Event()


def post_his_patient_data(wait: int = 0) -> flask.Response:
    """Receive one payload; commit, then answer. An error says that no patient can be taken.

    With `wait` the journeys are waited for, so many seconds at most.
    """
    here = call.current()
    if here.source is not None and here.source.lower() != SOURCE:
        raise SourceNotAllowed("the API key belongs to another source than the HIS")
    if not wait:
        return taken(call.arrival(Kind.HIS), _answer)
    receipt = take(call.arrival(Kind.HIS), services().intake(), services().database)
    if receipt.error is not None:
        raise receipt.error
    if receipt.uuid is not None:
        _wait_for(receipt.uuid, wait)
    return _answer(receipt)


def post_simulated_patient_data(wait: int = 0) -> flask.Response:
    """Receive one payload in the same way, under the predecessor's address for simulators."""
    return post_his_patient_data(wait)


def _wait_for(message_uuid: UUID, seconds: int) -> None:
    """Return once the message's events were taken by the consumer of journeys, or when the time is over."""
    if not _waiting.acquire(blocking=False):
        return
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with services().database.statements() as connection:
                if applied(connection, message_uuid) >= events.published_of_message(connection, message_uuid):
                    return
            _never.wait(_LOOK)
    finally:
        _waiting.release()


def _answer(receipt: Receipt) -> flask.Response:
    """The only patient's result, or all."""
    stands = _standing([each for each in receipt.answer if isinstance(each, Result)])
    shown = [_shown(each, stands) for each in receipt.answer]
    if len(shown) == 1:
        return json_answer(shown[0])
    accepted = sum(each["success"] for each in shown)
    message = f"{accepted} of {len(shown)} patients received"
    return json_answer({"success": accepted == len(shown), "message": message, "results": shown})


def _standing(results: list[Result]) -> dict[Stay, Standing]:
    """How the journeys of these patients' stays stand, as far as their hospitals are known."""
    namespace = Rules(namespaces=services().intake().site.journeys.namespaces).namespace(SOURCE)
    with services().database.statements() as connection:
        return standing(connection, SOURCE, namespace, {_stay(each) for each in results})


def _stay(result: Result) -> Stay:
    return result.facility, result.stay.admission_id


def _shown(result: Result | Refusal, stands: dict[Stay, Standing]) -> dict[str, Any]:
    if isinstance(result, Refusal):
        return {
            "success": False,
            "patient_id": result.patient_id or "",
            "error": result.error,
            "details": result.details,
        }
    journey = stands.get(_stay(result))
    is_open = journey is not None and journey.status != PENDING
    return {
        "success": True,
        "message": "HIS patient data received",
        "patient_id": result.stay.patient_id,
        "patient_mrn": result.stay.patient_id,
        "patient_name": result.patient_name,
        "encounter_id": result.stay.admission_id,
        "journey_id": journey and str(journey.journey_id),
        "completed_stages": list(journey.completed if journey and is_open else result.completed),
        "new_stages": list(result.new),
        "survey_triggered": False,
        "journey_status": journey and journey.status,
    }

"""HIS patient data over HTTP: a patient in, and what is known of the stay back."""

from typing import Any

import flask

from dhos_connector_api.actions.his.events import SOURCE
from dhos_connector_api.api.taking import taken
from dhos_connector_api.errors import SourceNotAllowed
from dhos_connector_api.http import call
from dhos_connector_api.http.paging import json_answer
from dhos_connector_api.intake.arrival import Receipt
from dhos_connector_api.intake.his_patients import Refusal, Result
from dhos_connector_api.messages.kinds import Kind


def post_his_patient_data() -> flask.Response:
    """Receive one payload; commit, then answer. An error says that no patient can be taken."""
    here = call.current()
    if here.source is not None and here.source.lower() != SOURCE:
        raise SourceNotAllowed("the API key belongs to another source than the HIS")
    return taken(call.arrival(Kind.HIS), _answer)


def post_simulated_patient_data() -> flask.Response:
    """Receive one payload in the same way, under the predecessor's address for simulators."""
    return post_his_patient_data()


def _answer(receipt: Receipt) -> flask.Response:
    """The only patient's result, or all."""
    shown = [_shown(each) for each in receipt.answer]
    if len(shown) == 1:
        return json_answer(shown[0])
    accepted = sum(each["success"] for each in shown)
    message = f"{accepted} of {len(shown)} patients received"
    return json_answer({"success": accepted == len(shown), "message": message, "results": shown})


def _shown(result: Result | Refusal) -> dict[str, Any]:
    if isinstance(result, Refusal):
        return {
            "success": False,
            "patient_id": result.patient_id or "",
            "error": result.error,
            "details": result.details,
        }
    return {
        "success": True,
        "message": "HIS patient data received",
        "patient_id": result.stay.patient_id,
        "patient_mrn": result.stay.patient_id,
        "patient_name": result.patient_name,
        "encounter_id": result.stay.admission_id,
        "journey_id": None,
        "completed_stages": list(result.completed),
        "new_stages": list(result.new),
        "survey_triggered": False,
        "journey_status": None,
    }

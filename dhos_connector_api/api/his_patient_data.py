"""HIS patient data over HTTP: a patient in, and what is known of the stay back."""

from typing import Any

import flask

from dhos_connector_api.actions.his.events import SOURCE
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import BadInput, Details, NotRead, SourceNotAllowed
from dhos_connector_api.http import call
from dhos_connector_api.http.paging import json_answer
from dhos_connector_api.intake import receive_his
from dhos_connector_api.intake.judge_his import BAD_FORMAT, Refusal, judge
from dhos_connector_api.intake.receive_his import Receipt, Result
from dhos_connector_api.spec.kept_body import judged


def post_his_patient_data() -> flask.Response:
    """Receive one payload; commit, then answer. Raises BadInput, NotRead where no patient can be taken."""
    here, parts = call.current(), services()
    if here.source is not None and here.source.lower() != SOURCE:
        raise SourceNotAllowed("the API key belongs to another source than the HIS")
    raw = flask.request.get_data()
    intake = parts.intake()
    received = judged(
        raw,
        here.check,
        lambda shape: judge(raw, shape, intake, created_by=here.caller, correlation_id=here.request_id),
    )
    with parts.database.transaction() as connection:
        receipt = receive_his.keep(connection, received)
    if receipt is None:
        with parts.database.statements() as connection:
            receipt = receive_his.repeated(connection, received)
    receive_his.count(received, receipt)
    if received.failed:
        raise NotRead(str(received.row.error_text))
    return json_answer(_answer(receipt))


def post_simulated_patient_data() -> flask.Response:
    """The same, under the predecessor's address for simulators."""
    return post_his_patient_data()


def _answer(receipt: Receipt) -> dict[str, Any]:
    """The only patient's result, or all. Raises BadInput where no patient was taken."""
    if receipt.is_refused:
        refusals = [each for each in receipt.results if isinstance(each, Refusal)]
        errors = {each.error for each in refusals}
        details: Details = {name: why for each in refusals for name, why in each.details.items()}
        raise BadInput(errors.pop() if len(errors) == 1 else BAD_FORMAT, details)
    shown = [_shown(each) for each in receipt.results]
    if len(shown) == 1:
        return shown[0]
    taken = sum(each["success"] for each in shown)
    message = f"{taken} of {len(shown)} patients received"
    return {"success": taken == len(shown), "message": message, "results": shown}


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

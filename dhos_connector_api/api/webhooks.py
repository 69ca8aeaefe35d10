"""Signed webhooks over HTTP: the signature first, over the raw body; only then is anything read or kept."""

import flask

from dhos_connector_api import clock
from dhos_connector_api.api.services import services
from dhos_connector_api.api.taking import taken
from dhos_connector_api.auth.signatures import Signed, verify
from dhos_connector_api.errors import SignatureRejected
from dhos_connector_api.http import call
from dhos_connector_api.http.paging import json_answer
from dhos_connector_api.intake.arrival import Door, Receipt
from dhos_connector_api.intake.counting import count_bad_signature
from dhos_connector_api.intake.door_names import DoorName, Way
from dhos_connector_api.messages.kinds import Kind


def post_his_webhook() -> flask.Response:
    """Receive a webhook of the HIS."""
    return _receive("his")


def post_lis_webhook() -> flask.Response:
    """Receive a webhook of the laboratory."""
    return _receive("lis")


def post_emr_webhook() -> flask.Response:
    """Receive a webhook of the EMR."""
    return _receive("emr")


def _receive(source: str) -> flask.Response:
    """Verify, keep, commit, answer. Raises SignatureRejected.

    A repeat uses nothing of the limit up: it may come from anybody who has seen the first.
    """
    signed = _signed(source)
    _verify(source, signed)
    limits = services().limits
    door = Door(
        name=DoorName(Way.WEBHOOK, source),
        source=source,
        signed_id=signed.id,
        admit=lambda: limits.count_webhook(source),
    )
    return taken(call.arrival(Kind.WEBHOOK, door=door), _answer)


def _answer(receipt: Receipt) -> flask.Response:
    id_ = str(receipt.answer) if receipt.answer else None
    return json_answer({"success": True, "status": receipt.outcome.value, "id": id_})


def _signed(source: str) -> Signed:
    headers = flask.request.headers
    return Signed(
        body=flask.request.get_data(),
        plain=headers.get(f"X-{source.upper()}-Signature"),
        id=headers.get("webhook-id"),
        timestamp=headers.get("webhook-timestamp"),
        signatures=headers.get("webhook-signature"),
    )


def _verify(source: str, signed: Signed) -> None:
    """Raise SignatureRejected, counted, unless the source's secret signed the request."""
    parts = services()
    standard_only = parts.intake().site.his.webhook_of(source).form == "standard"
    try:
        verify(signed, parts.webhook_secrets[source], clock.now(), standard_only=standard_only)
    except SignatureRejected:
        count_bad_signature(source)
        raise

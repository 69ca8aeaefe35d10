"""Signed webhooks over HTTP: the signature first, over the raw body; only then is anything read or kept."""

import flask

from dhos_connector_api import clock
from dhos_connector_api.api.services import services
from dhos_connector_api.auth.signatures import Signed, verify
from dhos_connector_api.errors import BadInput, NotRead, SignatureRejected
from dhos_connector_api.http import call
from dhos_connector_api.http.paging import json_answer
from dhos_connector_api.intake import receive_webhook
from dhos_connector_api.intake.receive_webhook import Receipt, ReceivedWebhook
from dhos_connector_api.spec.kept_body import judged


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
    """Verify, keep, commit, answer. Raises SignatureRejected; BadInput, NotRead for what is not taken."""
    here = call.current()
    signed = _signed(source)
    _verify(source, signed)
    received = judged(
        signed.body,
        here.check,
        lambda shape: receive_webhook.receive(
            signed.body, shape, source, signed_id=signed.id, correlation_id=here.request_id
        ),
    )
    receipt = _kept(received)
    receive_webhook.count(received, receipt)
    if received.failed:
        raise NotRead(str(received.row.error_text))
    if receipt.outcome == "refused":
        raise BadInput("the webhook does not fit; it is kept", received.details)
    return json_answer(
        {"success": True, "status": receipt.outcome, "id": str(receipt.id) if receipt.id else None}
    )


def _kept(received: ReceivedWebhook) -> Receipt:
    """Committed. A repeat uses nothing of the limit up: it may come from anybody who has seen the first."""
    parts = services()
    with parts.database.statements() as connection:
        known = receive_webhook.known(connection, received)
    if known is not None:
        return known
    parts.limits.count_webhook(received.source)
    with parts.database.transaction() as connection:
        return receive_webhook.keep(connection, received)


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
        receive_webhook.count_bad_signature(source)
        raise

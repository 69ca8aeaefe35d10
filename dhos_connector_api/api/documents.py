"""CDA documents to the hospital."""

import flask

from dhos_connector_api.api.services import services
from dhos_connector_api.deliveries import send
from dhos_connector_api.http import call


def post_cda_message() -> flask.Response:
    """Keep a CDA document and queue its delivery."""
    here, parts = call.current(), services()
    sending = send.document(
        here.body["content"], parts.outbound(), created_by=here.caller, correlation_id=here.request_id
    )
    send.queue(parts.database, sending)
    return flask.Response(status=201)

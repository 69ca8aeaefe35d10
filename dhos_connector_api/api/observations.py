"""Observation sets to the hospital, as ORU messages."""

import flask

from dhos_connector_api.api.services import services
from dhos_connector_api.deliveries import send
from dhos_connector_api.deliveries.oru import message as oru
from dhos_connector_api.http import call


def post_oru_message() -> flask.Response:
    """Keep the ORU message of an observation set and queue its delivery; a site may want none."""
    here, parts = call.current(), services()
    sending = send.observation_set(
        oru.observation_data(here.body),
        parts.outbound(),
        created_by=here.caller,
        correlation_id=here.request_id,
    )
    if sending is not None:
        send.queue(parts.database, sending)
    return flask.Response(status=204)

"""Observation sets to the hospital, as ORU messages."""

import flask

from dhos_connector_api.errors import NotAvailableHere


def post_oru_message() -> flask.Response:
    """Take an observation set. Raises NotAvailableHere: deliveries are not built yet."""
    raise NotAvailableHere("this installation does not send ORU messages yet")

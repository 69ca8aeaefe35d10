"""CDA documents to the hospital."""

import flask

from dhos_connector_api.errors import NotAvailableHere


def post_cda_message() -> flask.Response:
    """Take a CDA document. Raises NotAvailableHere: deliveries are not built yet."""
    raise NotAvailableHere("this installation does not send CDA documents yet")

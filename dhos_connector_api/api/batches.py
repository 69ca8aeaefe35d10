"""Batches for the tag `messages`: each message is kept by itself, all are answered in one batch."""

import flask

from dhos_connector_api.api.services import services
from dhos_connector_api.errors import BadInput, StorageUnavailable
from dhos_connector_api.hl7v2.batch import MOST_MESSAGES
from dhos_connector_api.http import call
from dhos_connector_api.intake.arrival import Door
from dhos_connector_api.intake.batch import answer_batch, take_apart, take_batch

MEDIA_TYPE = "application/hl7-v2-batch"


def post_batch() -> flask.Response:
    """Keep every message of the batch, commit, and answer with the batch of their acknowledgements."""
    here, parts = call.current(), services()
    file = take_apart(flask.request.get_data())
    if file is None:
        raise BadInput(f"a batch may have {MOST_MESSAGES} messages, and not be in UTF-16")
    if not file.batches:
        raise BadInput("the request needs a batch")
    receipts = take_batch(
        file,
        parts.intake(),
        parts.database,
        caller=here.caller,
        correlation_id=here.request_id,
        door=Door(name=here.door_name, answers_unreadable=True, charset=call.named_charset()),
    )
    if receipts is None:
        raise StorageUnavailable("not every message of the batch is stored; send it again")
    return flask.Response(answer_batch(file, receipts), content_type=MEDIA_TYPE)

"""The message by which a JSON body is kept, whatever it is."""

from dhos_connector_api.errors import Details
from dhos_connector_api.hl7v2.rules import OWN_FAILURE
from dhos_connector_api.intake.arrival import Arrival
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import NewMessage
from dhos_connector_api.spec.kept_body import CheckedBody

_ERROR_LENGTH = 500


def json_row(arrival: Arrival, body: CheckedBody, *, source: str, message_type: str) -> NewMessage:
    """Return the message of a body of which nothing is taken yet: refused, or unparseable."""
    failed = body.failed
    return NewMessage(
        uuid=arrival.uuid,
        kind=arrival.kind,
        at=arrival.at,
        created_by=arrival.caller,
        src_description=source,
        dst_description="dhos",
        state=MessageState.REFUSED if body.is_json or failed else MessageState.UNPARSEABLE,
        correlation_id=arrival.correlation_id,
        received=arrival.raw,
        content=arrival.raw.decode() if body.is_json else None,
        charset="utf-8" if body.is_json else None,
        ack=None,
        message_type=message_type,
        error_code=OWN_FAILURE.error if failed else None,
        error_text=OWN_FAILURE.text if failed else None,
        door=arrival.door_name,
    )


def reason(details: Details) -> str | None:
    """Return fields that do not fit, and why, on one line; nothing that was sent."""
    return "; ".join(f"{name}: {', '.join(why)}" for name, why in details.items())[:_ERROR_LENGTH] or None

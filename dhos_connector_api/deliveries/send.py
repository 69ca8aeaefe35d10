"""Send an observation set, a document or an acknowledgement: make it, keep it, queue its delivery.

Like what comes in, all thinking is done before the transaction; the edge commits and then answers.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.hl7.facts import Facts, facts, header_facts
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import store
from dhos_connector_api.deliveries.cda import document as cda
from dhos_connector_api.deliveries.metrics import SENT
from dhos_connector_api.deliveries.oru import message as oru
from dhos_connector_api.deliveries.store import NewDelivery
from dhos_connector_api.errors import BadSite, NotAvailableHere, UnreadableMessage
from dhos_connector_api.hl7v2 import modes
from dhos_connector_api.hl7v2.build import with_header_fields
from dhos_connector_api.hl7v2.read import Message, read, read_text
from dhos_connector_api.messages import store as messages
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.site.model import IdentifierTable, Site

_log = logging.getLogger(__name__)

EPR, MLLP, MIRTH = "epr", "mllp", "mirth"
#: What is missing where ORU messages cannot be sent.
_NAMES = {EPR: "EPR service adapter", MLLP: "MLLP receiver"}


@dataclass(frozen=True, slots=True)
class Outbound:
    """The configuration that every message is sent with. `destinations` are those that are set up here."""

    site: Site
    zone: tzinfo
    transform: Callable[[str], str] | None  # the site's own transformer
    destinations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sending:
    """A message made to be sent; nothing is stored yet."""

    row: NewMessage
    effects: Effects
    delivery: NewDelivery


def observation_set(
    data: Mapping[str, Any], outbound: Outbound, *, created_by: str | None, correlation_id: str
) -> Sending | None:
    """Return the ORU message of an observation set, to be delivered to the EPR; None: this site sends none.

    Raises BadInput for data that make no message, NotAvailableHere without the destination that the
    site wants them to go to, BadSite when its transformer makes a message of it that is none.
    """
    if not outbound.site.send_config.generate_oru_messages:
        return None
    destination = outbound.site.deliveries.oru_destination
    if destination not in outbound.destinations:
        missing = _NAMES[destination]
        raise NotAvailableHere(f"this installation has no {missing} to send ORU messages to")
    now = clock.now()
    built = oru.build(data, site=outbound.site, zone=outbound.zone, now=now)
    message = _read_back(built.text, outbound)
    # What we name MRN and NHS is that, whatever the hospital calls them in what it sends.
    ours = replace(outbound.site, inbound=replace(outbound.site.inbound, identifiers=IdentifierTable()))
    known = facts(message, ours, outbound.zone)
    row = _hl7_row(
        message.text,
        "utf-8",
        known,
        kind=Kind.ORU,
        at=now,
        created_by=created_by,
        correlation_id=correlation_id,
    )
    return _sending(row, known.identifiers, destination, built.set_uuid)


def _read_back(text: str, outbound: Outbound) -> Message:
    """The message as our own reader understands it, after the site's transformer. Raises BadSite."""
    try:
        if outbound.transform is not None:
            text = outbound.transform(text).encode().decode()
        message = read_text(text, charset="utf-8")
    except UnreadableMessage:
        message = None
    except Exception as error:  # the site's code may fail in any way
        raise BadSite("HL7_TRANSFORMER_MODULE failed on an ORU message") from error
    if message is None or message.defects or not message.control_id or message.first("OBR") is None:
        raise BadSite("HL7_TRANSFORMER_MODULE made something of an ORU message that is no HL7 message")
    return message


def document(content: str, outbound: Outbound, *, created_by: str | None, correlation_id: str) -> Sending:
    """Return a CDA document, to be delivered to Mirth as it is.

    Raises NotAvailableHere without a Mirth, BadInput for what is no harmless XML.
    """
    if MIRTH not in outbound.destinations:
        raise NotAvailableHere("this installation has no Mirth to send CDA documents to")
    now = clock.now()
    read = cda.read(content, table=outbound.site.inbound.identifiers, zone=outbound.zone)
    row = NewMessage(
        uuid=clock.new_uuid(now),
        kind=Kind.CDA,
        at=now,
        created_by=created_by,
        src_description="dhos",
        dst_description="mirth",
        state=MessageState.QUEUED,
        correlation_id=correlation_id,
        received=content.encode(),
        content=content,
        charset="utf-8",
        ack=None,
        message_type="HL7v3CDA",
        event_code=read.code or None,
        title=read.title or None,
        message_control_id=read.document_id or None,
        sent_at=read.time or now,
    )
    return _sending(row, read.identifiers, MIRTH, None)


def acknowledgement(
    ack: bytes, *, charset: str | None, created_by: str | None, correlation_id: str
) -> Sending:
    """Return an application acknowledgement, to be delivered as a message of its own (enhanced mode).

    In: the acknowledgement as it was made, in `charset`. What is sent says in MSH-15 and MSH-16 that it
    wants none in return (NE): it is delivered when it has been written, and a sender that misses it
    sends its message again. UTF-16 becomes UTF-8, for it collides with MLLP's framing. The same one
    queued again takes the place of one that waits.
    """
    now = clock.now()
    never = modes.Condition.NEVER.value
    message = read(ack, default_charset=charset or "utf-8")
    text = with_header_fields(message.text, {15: never, 16: never}) + "\r"
    charset = "utf-8" if message.charset == "utf-16" else message.charset
    known = header_facts(message, UTC)
    row = _hl7_row(
        text,
        charset,
        known,
        kind=Kind.ACKNOWLEDGEMENT,
        at=now,
        created_by=created_by,
        correlation_id=correlation_id,
    )
    return _sending(row, (), MLLP, f"acknowledgement {known.control_id}")


def _hl7_row(
    text: str,
    charset: str,
    known: Facts,
    *,
    kind: Kind,
    at: datetime,
    created_by: str | None,
    correlation_id: str,
) -> NewMessage:
    return NewMessage(
        uuid=clock.new_uuid(at),
        kind=kind,
        at=at,
        created_by=created_by,
        src_description="dhos",
        dst_description="tie",
        state=MessageState.QUEUED,
        correlation_id=correlation_id,
        received=text.encode(charset, "replace"),
        content=text,
        charset=charset,
        ack=None,
        message_type=known.message_type,
        event_code=known.event_code,
        sending_application=known.sending_application,
        sending_facility=known.sending_facility,
        message_control_id=known.control_id,
        sent_at=at,
    )


def _sending(
    row: NewMessage, identifiers: tuple[tuple[str, str], ...], destination: str, series: str | None
) -> Sending:
    delivery = NewDelivery(
        uuid=clock.new_uuid(row.at),
        message_uuid=row.uuid,
        destination=destination,
        series=series,
        at=row.at,
        correlation_id=row.correlation_id,
    )
    # No key: a correction has the control id of what it corrects.
    return Sending(row, Effects(identifiers=identifiers), delivery)


def queue(database: Database, sending: Sending) -> None:
    """Store the message and queue its delivery, commit, then count it. Raises StorageUnavailable."""
    with database.transaction() as connection:
        keep(connection, sending)
    count(sending)


def keep(connection: Connection, sending: Sending) -> UUID:
    """Store the message, queue its delivery, and return the message's uuid."""
    messages.insert(connection, sending.row, sending.effects, window=timedelta())
    store.add(connection, sending.delivery)
    return sending.row.uuid


def count(sending: Sending) -> None:
    """Count and log one message that is on its way. Call it after the commit."""
    row = sending.row
    SENT.labels(sending.delivery.destination).inc()
    _log.info(
        "message queued",
        extra={
            "message_uuid": str(row.uuid),
            "delivery_uuid": str(sending.delivery.uuid),
            "destination": sending.delivery.destination,
            "bytes": len(row.received),
        },
    )

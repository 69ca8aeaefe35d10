"""Reads and judges one HL7 v2 message: its row, its acknowledgement, and what follows from it.

All of it is thought out before anything is written; `hl7` keeps it.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.actions.hl7.facts import Facts, facts, header_facts
from dhos_connector_api.actions.hl7.left_out import left_out
from dhos_connector_api.actions.hl7.merges import merges
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2 import read as reading
from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.acknowledge import acknowledge, refuse_unreadable
from dhos_connector_api.hl7v2.charsets import is_declared, unknown_name
from dhos_connector_api.hl7v2.read import Defect, Message, read_text
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake import claims
from dhos_connector_api.intake.arrival import Arrival, Door, Intake, Read
from dhos_connector_api.intake.control_ids import ack_control_id, content_hash, duplicate_keys
from dhos_connector_api.log import where
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.outbox.models import SENDER_LENGTH

_log = logging.getLogger(__name__)

_CHARSET = "MSH^1^18"
_OVERRULED = "read as UTF-8, as its bytes are, though another character set is declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7Read(Read):
    """A message, read and judged; both are None when it is unreadable."""

    row: NewMessage
    message: Message | None = None
    verdict: Verdict | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether it is answered AA, unless it is known."""
        return self.verdict is not None and self.verdict.code is Code.AA

    @property
    def is_claimed(self) -> bool:
        """Whether its sender is claimed by other doors: then it is refused, whatever its control id."""
        return self.verdict is claims.CLAIMED


def read(arrival: Arrival, intake: Intake) -> Hl7Read:
    """Return what the bytes say and how they are answered. Never raises, whatever they are."""
    try:
        message = reading.read(
            arrival.raw,
            default_charset=intake.site.inbound.default_charset,
            received_on=arrival.at.astimezone(intake.zone).date(),
            door_charset=arrival.door.charset,
        )
    except UnreadableMessage:
        return Hl7Read(arrival=arrival, intake=intake, row=_unreadable(arrival))
    return _judged(message, arrival, intake)


def _unreadable(arrival: Arrival) -> NewMessage:
    """The row of bytes without MSH, answered where the door does so."""
    if not arrival.door.answers_unreadable:
        return _row(arrival, state=MessageState.UNPARSEABLE)
    ack = refuse_unreadable(Code.AR, control_id=ack_control_id(arrival.uuid), now=arrival.at)
    return _row(arrival, state=MessageState.UNPARSEABLE, ack=ack, ack_status=Code.AR.value)


def _row(arrival: Arrival, **facts: Any) -> NewMessage:
    """The message by which an arrival is kept; made once, as copies of so many columns cost much."""
    return NewMessage(
        uuid=arrival.uuid,
        kind=arrival.kind,
        at=arrival.at,
        created_by=arrival.caller,
        src_description="tie",
        dst_description="dhos",
        correlation_id=arrival.correlation_id,
        received=arrival.raw,
        door=arrival.door_name,
        door_charset=arrival.door.charset,
        **facts,
    )


def _judged(message: Message, arrival: Arrival, intake: Intake) -> Hl7Read:
    known = Facts()
    try:
        known = header_facts(message, intake.zone)
        understood = _transformed(message, intake)
        header = known if understood is message else None
        known = facts(understood, intake.site, intake.zone, header)
        verdict = (
            claims.objection(intake.site.inbound.claims, arrival.door.name, message)
            or arrival.door.objects(message)
            or _by_door(rules.judge(understood, intake.site.inbound), message, arrival.door)
        )
        if verdict.code is Code.AA:
            effects = _effects(message, understood, known, arrival, intake)
        else:
            effects = Effects(identifiers=known.identifiers)
    except Exception as error:  # noqa: BLE001  a failure of ours is stored with its AE, to be replayed
        extra = {"message_uuid": str(arrival.uuid), "cause": where(error)}
        _log.error("message could not be read", extra=extra)
        verdict, effects = rules.OWN_FAILURE, Effects(identifiers=known.identifiers)
    row = _row(
        arrival,
        content=message.text,
        charset=message.charset,
        message_type=known.message_type or None,
        event_code=known.event_code or None,
        sending_application=known.sending_application or None,
        sending_facility=known.sending_facility or None,
        message_control_id=known.control_id or None,
        sent_at=known.sent_at,
        remarks=_OVERRULED if Defect.CHARSET_OVERRULED in message.defects else None,
        **answered(message, verdict, arrival),
    )
    return Hl7Read(
        arrival=arrival,
        intake=intake,
        row=row,
        effects=effects,
        asks_first=verdict.code is not Code.AA and verdict is not claims.CLAIMED and bool(message.control_id),
        message=message,
        verdict=verdict,
    )


def _by_door(verdict: Verdict, message: Message, door: Door) -> Verdict:
    """The verdict; where it blames an empty MSH-18 for the character set of the door, it blames the door."""
    if verdict.location != _CHARSET or message.declared != (door.charset,):
        return verdict
    if any(map(is_declared, message.msh.raw(18).split(message.delimiters.repetition or "~"))):
        return verdict
    name = unknown_name(message.declared)
    text = "The bytes do not fit the charset of the Content-Type."
    if name is not None:
        named = name or "named"
        text = f"The character set {named} is not known here (Content-Type), and the bytes are not UTF-8."
    return replace(verdict, location=None, text=text)


def _transformed(message: Message, intake: Intake) -> Message:
    """The message as the site's transformer understands it; the acknowledgement keeps the original."""
    if intake.transform is None:
        return message
    about_bytes = message.defects & {Defect.INVALID_CHARACTERS, Defect.NUL}
    return read_text(
        intake.transform(message.text),
        charset=message.charset,
        defects=about_bytes,
        received_on=message.received_on,
        declared=message.declared,
    )


def answered(message: Message, verdict: Verdict, arrival: Arrival) -> dict[str, Any]:
    """Return what a verdict puts into the message's row: the acknowledgement, the state, and why."""
    return {
        "ack": acknowledge(message, verdict, control_id=ack_control_id(arrival.uuid), now=arrival.at),
        "state": MessageState.ACCEPTED if verdict.code is Code.AA else MessageState.REFUSED,
        "ack_status": verdict.code.value,
        "error_code": verdict.error,
        "error_location": verdict.location,
        "error_text": verdict.text,
    }


def _effects(
    message: Message, understood: Message, known: Facts, arrival: Arrival, intake: Intake
) -> Effects:
    """What an accepted message brings with it.

    Key and hash are those of the message as sent; `understood` is what the transformer made of it
    and `known` its facts. Envelope ids follow from its uuid: a replay publishes under the same.
    """
    keys = duplicate_keys(message, restart_daily=intake.site.inbound.control_ids_restart_daily)
    envelopes = extract(
        understood,
        site=intake.site,
        zone=intake.zone,
        message_uuid=arrival.uuid,
        correlation_id=arrival.correlation_id,
    )
    return Effects(
        key=keys[0] if keys else None,
        other_keys=keys[1:],
        content_hash=content_hash(message),
        sender=f"{known.sending_application}|{known.sending_facility}"[:SENDER_LENGTH],
        identifiers=known.identifiers,
        merges=merges(understood, intake.site),
        envelopes=envelopes,
        left_out=left_out(understood, intake.site, intake.zone),
    )

"""Counts and logs what became of arrivals, once that is committed; the same way for every kind."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from dhos_connector_api.hl7v2.terms import ALL
from dhos_connector_api.intake.arrival import Outcome, Read, Receipt
from dhos_connector_api.intake.conflicts import ConflictCounter
from dhos_connector_api.intake.control_ids import logged
from dhos_connector_api.intake.event import EventRead
from dhos_connector_api.intake.his import HisRead
from dhos_connector_api.intake.his_patients import Result
from dhos_connector_api.intake.hl7_read import Hl7Read
from dhos_connector_api.intake.metrics import (
    CLAIMED,
    COLLISIONS,
    EVENTS,
    HIS_PAYLOADS,
    RECEIVED,
    REPEATED,
    WEBHOOKS,
)
from dhos_connector_api.log import correlation_id
from dhos_connector_api.messages.kinds import Kind

_log = logging.getLogger(__name__)
_conflicts = ConflictCounter()

#: How repeats of HL7 messages are counted: by the policy that answered them.
_REPEATS = {Outcome.REPEATED: "replay", Outcome.REPEAT_REFUSED: "reject", Outcome.CONFLICT: "conflict"}
_EVENT_OUTCOMES = {
    Outcome.ACCEPTED: "new",
    Outcome.IGNORED: "new",
    Outcome.REPEATED: "duplicate",
}


_TEXTS = {
    Kind.HL7: "message received",
    Kind.HIS: "HIS payload received",
    Kind.WEBHOOK: "webhook received",
}


def count(read: Read, receipt: Receipt) -> None:
    """Count and log one answered arrival. Call it after the commit."""
    count_all([(read, receipt)])


def count_all(answered: Iterable[tuple[Read, Receipt]]) -> None:
    """Count and log arrivals of any kinds. Integration events come by the thousand: they are only counted."""
    events: Counter[str] = Counter()
    for read, receipt in answered:
        if isinstance(read, EventRead):
            if receipt.outcome is not Outcome.REPEATED or read.has_own_name:  # else it was counted before
                events[_EVENT_OUTCOMES.get(receipt.outcome, "invalid")] += 1
        else:
            before = correlation_id.set(read.arrival.correlation_id)
            _log_one(read, receipt, _COUNTED[read.arrival.kind](read, receipt))
            correlation_id.reset(before)
    for outcome, number in events.items():
        EVENTS.labels(outcome).inc(number)


def count_bad_signature(source: str) -> None:
    """Count a webhook that nobody we know has signed: nothing else of it is kept."""
    WEBHOOKS.labels(source, "bad_signature").inc()


def _log_one(read: Read, receipt: Receipt, facts: dict[str, Any]) -> None:
    _log.info(
        _TEXTS[read.arrival.kind],
        extra={
            "kind": read.arrival.kind.value,
            "message_uuid": str(receipt.uuid),
            "outcome": receipt.outcome.value,
            **facts,
            "bytes": len(read.arrival.raw),
        },
    )


def _hl7(read: Read, receipt: Receipt) -> dict[str, Any]:
    row = cast(Hl7Read, read).row
    event = _event(row.event_code or "", read.intake.site.inbound.accepted)
    RECEIVED.labels(event, receipt.answer.code or "unreadable").inc()
    if receipt.outcome in _REPEATS:
        REPEATED.labels(_REPEATS[receipt.outcome]).inc()
    if receipt.outcome is Outcome.CONFLICT:
        _conflicts.count(row.sending_application, row.sending_facility, receipt.uuid)
    _count_doors(cast(Hl7Read, read), receipt)
    return {
        "control_id": logged(row.message_control_id, read.intake.log_key),
        "event": event,
        "ack": receipt.answer.code,
        "error": row.error_code,
    }


def _event(event_code: str, accepted: Mapping[str, Collection[str]]) -> str:
    """The event as metrics and logs name it: one the site names, else its type where all are taken."""
    code, _, trigger = event_code.partition("_")
    triggers = accepted.get(code, ())
    if trigger in triggers:
        return event_code
    return code if ALL in triggers else "other"


def _count_doors(read: Hl7Read, receipt: Receipt) -> None:
    """Count and tell of senders that came another way than they should, or than they did before."""
    door = read.arrival.door.name
    if door is None:
        return
    about = {"message_uuid": str(receipt.uuid), "door": str(door)}
    if read.is_claimed:
        CLAIMED.labels(door.label).inc()
        _log.warning("the sender is claimed by another door", extra=about)
    if receipt.collision is not None:
        COLLISIONS.labels(door.label).inc()
        other = {"other_uuid": str(receipt.collision.message_uuid), "other_door": receipt.collision.door}
        _log.warning("a control id came with other content through another door", extra=about | other)


def _his(read: Read, receipt: Receipt) -> dict[str, Any]:
    payload = cast(HisRead, read)
    HIS_PAYLOADS.labels(receipt.outcome.value).inc()
    if receipt.outcome is Outcome.REPEATED:
        REPEATED.labels("his").inc()
    return {
        "patients": len(payload.outcomes),
        "new_stages": sum(len(each.new) for each in receipt.answer if isinstance(each, Result)),
    }


def _webhook(read: Read, receipt: Receipt) -> dict[str, Any]:
    source = str(read.arrival.door.source)
    WEBHOOKS.labels(source, receipt.outcome.value).inc()
    return {"source": source}


_COUNTED = {Kind.HL7: _hl7, Kind.HIS: _his, Kind.WEBHOOK: _webhook}

"""Reading an HL7 acknowledgement of a message of ours, whatever transport brought it (pure)."""

from dhos_connector_api.actions.hl7.facts import storable
from dhos_connector_api.deliveries.rules.outcome import LONGEST_DETAIL, Accepted, DeliveryFailed, Kind
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.read import Message, read

#: MSA-1 of what was taken, and of what was not (HL7 table 0008).
TAKEN = frozenset({"AA", "CA"})
_REFUSED = frozenset({"AE", "AR", "CE", "CR"})


def control_id_of(ack: bytes) -> str:
    """Return the control id that an acknowledgement names (MSA-2); '' where it names none, or is none."""
    try:
        msa = read(ack).first("MSA")
    except UnreadableMessage:
        return ""
    return msa.text(2).strip() if msa else ""


def judge(ack: bytes, control_id: str | None, http_status: int | None = None) -> Accepted:
    """Return the acceptance that an acknowledgement states for our message with that control id.

    AE, AR, CE and CR refuse it; one that cannot be read, or is of another message, leaves it open.
    Raises DeliveryFailed unless MSA-1 is AA or CA.
    """
    try:
        message = read(ack)
    except UnreadableMessage:
        message = None
    msa = message.first("MSA") if message else None
    if message is None or msa is None:
        raise left_open("answered without an acknowledgement", http_status, ack)
    code, theirs = msa.value(1).strip(), msa.text(2).strip()
    # A receiver that could not read our header refuses us without the control id.
    if theirs != control_id and (theirs or code not in _REFUSED):
        raise left_open("acknowledged another message", http_status, ack)
    if code in TAKEN:
        return Accepted(http_status, code, ack)
    if code in _REFUSED:
        raise DeliveryFailed(
            Kind.PERMANENT,
            f"refused with {code}",
            detail=_reason(message),
            http_status=http_status,
            ack_code=code,
            ack=ack,
        )
    raise left_open("acknowledged with a code that HL7 does not know", http_status, ack)


def left_open(text: str, http_status: int | None, ack: bytes | None) -> DeliveryFailed:
    """Return the failure of a message that was answered in a way that does not say whether it was taken."""
    return DeliveryFailed(Kind.AMBIGUOUS, text, http_status=http_status, ack=ack)


def _reason(message: Message) -> str | None:
    """Return the reason that the ERR segments, or MSA-3, give; fit for PostgreSQL."""
    said = []
    for err in message.all("ERR"):
        parts = (err.value(8), err.value(7), err.value(3, 2), err.raw(1))
        said.append(next((part for part in parts if part), ""))
    msa = message.first("MSA")
    said.append(msa.value(3) if msa else "")
    text = "; ".join(dict.fromkeys(part for part in said if part))
    return storable(text)[:LONGEST_DETAIL] or None

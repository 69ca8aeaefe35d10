"""The refusals of a listener, whatever the site says (pure): wrong senders, types, sizes, UTF-16."""

from collections.abc import Callable

from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.hl7v2.senders import is_named, refusal, sender_of
from dhos_connector_api.hl7v2.terms import ALL
from dhos_connector_api.mllp.terms import Listener, Sender

TOO_LONG = Verdict(Code.AR, "207", None, "The message is longer than this listener takes.")
TOO_MANY = Verdict(Code.AR, "207", None, "The batch has more messages than one batch may have.")
BLOCK_START = Verdict(Code.AR, "207", None, "0B, which begins a frame of MLLP, stands within the message.")
_UTF_16 = Verdict(Code.AR, "207", "MSH^1^18", "UTF-16 collides with the framing of MLLP. Send UTF-8.")
_SENDER = refusal("This listener takes no messages of this sender (MLLP_LISTENERS, sender).")
_CERTIFICATE = refusal("The client's certificate is not this sender's.")
_TYPE = Verdict(
    Code.AR,
    "200",
    "MSH^1^9^1^1",
    "This listener does not take this message type (MLLP_LISTENERS, sender.accepted).",
)
_TRIGGER = Verdict(
    Code.AR,
    "201",
    "MSH^1^9^1^2",
    "This listener takes no such trigger event (MLLP_LISTENERS, sender.accepted).",
)

Objects = Callable[[Message], Verdict | None]


def objections(listener: Listener, names: frozenset[str]) -> Objects:
    """Return the listener's check of a message; `names` are the client certificate's, in lower case."""

    def objects(message: Message) -> Verdict | None:
        if message.charset == "utf-16":
            return _UTF_16
        if not listener.senders:
            return None
        sender = sender_of(message)
        fitting = [one for one in listener.senders if is_named(sender, one.application, one.facility)]
        if not fitting:
            return _SENDER
        known = [one for one in fitting if one.certificate is None or one.certificate.lower() in names]
        return _kind(known, message) if known else _CERTIFICATE

    return objects


def _kind(senders: list[Sender], message: Message) -> Verdict | None:
    """Of the senders it may be, one that sends this type and trigger is enough."""
    objection: Verdict | None = None
    for sender in senders:
        if sender.accepted is None:
            return None
        triggers = sender.accepted.get(message.message_code)
        if triggers is not None and (ALL in triggers or message.trigger in triggers):
            return None
        objection = _TRIGGER if triggers is not None else objection or _TYPE
    return objection

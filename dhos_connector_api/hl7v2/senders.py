"""The sender of a message, MSH-3 and MSH-4, and the refusal of one that may not send (pure)."""

from dhos_connector_api.hl7v2.delimiters import STANDARD
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.hl7v2.segment import Repetition

#: MSH-3.1 and MSH-4.1, without blanks around them.
SenderName = tuple[str, str]


def sender_of(message: Message) -> SenderName:
    """Return who says to have sent the message."""
    return message.msh.value(3).strip(), message.msh.value(4).strip()


def possible_senders(message: Message) -> list[SenderName]:
    """Return who may have sent the message: by its own delimiters, and by the usual ones.

    A control id is known by MSH-3 and MSH-4 as they stand, so whoever writes another sender's fields under
    delimiters of its own uses that sender's control ids.
    """
    own = sender_of(message)
    if message.delimiters == STANDARD:
        return [own]
    application, facility = (
        Repetition(message.msh.raw(field).partition(STANDARD.repetition)[0], STANDARD, message.charset)
        for field in (3, 4)
    )
    return [own, (application.value().strip(), facility.value().strip())]


def is_named(sender: SenderName, application: str | None, facility: str | None) -> bool:
    """Return whether a configured application and facility name that sender; None stands for any."""
    return application in {None, sender[0]} and facility in {None, sender[1]}


def refusal(text: str) -> Verdict:
    """Return the answer to a message whose sender may not send here: AR 207 at MSH-3, with that text."""
    return Verdict(Code.AR, "207", "MSH^1^3", text)

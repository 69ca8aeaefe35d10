"""The acknowledgements a message gets in original and enhanced mode (HL7 v2 chapter 2).

In original mode there is one, the application acknowledgement (AA, AE, AR). In enhanced mode MSH-15
asks for an accept acknowledgement (CA, CE, CR) as soon as the message is in safe storage, and MSH-16
for the application acknowledgement after it, each on a condition of table 0155.
"""

from dataclasses import dataclass
from enum import StrEnum

from dhos_connector_api.hl7v2.read import DELETE, Message
from dhos_connector_api.hl7v2.rules import ACCEPTED, Code, Verdict


class Mode(StrEnum):
    """The way a sender is acknowledged. `auto` goes by MSH-15 and MSH-16 of each message."""

    AUTO = "auto"
    ORIGINAL = "original"
    ENHANCED = "enhanced"


class Condition(StrEnum):
    """The conditions on which an acknowledgement is wanted (table 0155)."""

    ALWAYS = "AL"
    NEVER = "NE"
    ON_ERROR = "ER"
    ON_SUCCESS = "SU"

    def met(self, code: Code) -> bool:
        """Return whether an acknowledgement with that code is to be sent."""
        if self in {Condition.ALWAYS, Condition.NEVER}:
            return self is Condition.ALWAYS
        return (code in {Code.AA, Code.CA}) is (self is Condition.ON_SUCCESS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The conditions in MSH-15 and MSH-16; both None: original mode."""

    accept: Condition | None
    application: Condition | None


@dataclass(frozen=True, slots=True)
class Due:
    """The acknowledgements to send: first the accept one with that verdict, then the application's."""

    accept: Verdict | None
    application: bool


ORIGINAL = Wanted(None, None)
#: What a message asks for that is not to be answered, such as an acknowledgement that travels by itself.
NOTHING = Wanted(Condition.NEVER, Condition.NEVER)
_TAKEN = Verdict(Code.CA)
_CONDITIONS = {each.value: each for each in Condition}
#: What a listener set to enhanced mode takes two blank fields for: both acknowledgements.
BOTH = Wanted(Condition.ALWAYS, Condition.ALWAYS)


def wanted(message: Message, mode: Mode = Mode.AUTO) -> Wanted:
    """Return which acknowledgements a message asks for under a listener's mode.

    Both fields blank mean original mode; one blank means NE. A code that table 0155 does not have
    counts as AL: an acknowledgement too many is seen, one too few stops a feed.
    """
    accept, application = (_condition(message.msh.value(field)) for field in (15, 16))
    if mode is Mode.ORIGINAL:
        return ORIGINAL
    if accept is None and application is None:
        return BOTH if mode is Mode.ENHANCED else ORIGINAL
    return Wanted(accept or Condition.NEVER, application or Condition.NEVER)


def _condition(text: str) -> Condition | None:
    code = text.strip().upper()
    if code in {"", DELETE}:
        return None
    return _CONDITIONS.get(code, Condition.ALWAYS)


def due(asked: Wanted, verdict: Verdict) -> Due:
    """Return the acknowledgements to send for a message that is in safe storage and was judged so.

    CR says that what the header names is not taken here, CE that the message cannot be taken for
    another reason before its content was looked at. Either ends the exchange: after it no
    application acknowledgement follows. Where its condition keeps it back, the application
    acknowledgement says AE or AR, if its own condition is met.
    """
    if asked.accept is None or asked.application is None:
        return Due(None, application=True)
    accept = _accepting(verdict)
    sent = asked.accept.met(accept.code)
    if sent and accept.code is not Code.CA:
        return Due(accept, application=False)
    return Due(accept if sent else None, application=asked.application.met(verdict.code))


def silent_when_taken(asked: Wanted) -> bool:
    """Return whether a message that is taken (AA) gets no answer: errors alone do, or nothing does."""
    return due(asked, ACCEPTED) == Due(None, application=False)


def _accepting(verdict: Verdict) -> Verdict:
    """The verdict on the accept level: what was wrong inside the message is left to the application."""
    if verdict.code is Code.AR:
        return Verdict(Code.CR, verdict.error, verdict.location, verdict.text)
    about_whole = (verdict.location or "").startswith("MSH") or (
        verdict.error == "102" and not verdict.location
    )
    if verdict.code is Code.AE and about_whole:
        return Verdict(Code.CE, verdict.error, verdict.location, verdict.text)
    return _TAKEN

"""Reading a SOAP answer: acceptMessage returned, or there is a fault.

SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4, whichever the envelope is of. Read with our own
reader, not with zeep's: an answer is a stranger's XML.
"""

from dataclasses import dataclass, field
from email.message import Message

from dhos_connector_api.deliveries.cda.plain_xml import Path, read_plain
from dhos_connector_api.deliveries.rules.outcome import LARGEST_ANSWER
from dhos_connector_api.deliveries.transports.http import Reply
from dhos_connector_api.errors import BadInput

_NAMESPACES = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
#: Where a fault has its code and its text, by local names: faultcode has no namespace, but not all know.
_CODES = (("faultcode",), ("Code", "Value"))
_TEXTS = (("faultstring",), ("Reason", "Text"))
_RESPONSE = "acceptMessageResponse"


@dataclass(frozen=True, slots=True)
class Returned:
    """The operation ended well; what it returned, '' for nothing."""

    value: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The operation failed. `code` is without its prefix and subcodes: Client, Server, Sender..."""

    code: str
    text: str


def read_answer(reply: Reply) -> Returned | Fault | None:
    """Return what the body of an answer says; None where it is no answer of acceptMessage in SOAP."""
    answer = _Answer()
    try:
        read_plain(reply.body, answer, _charset(reply))
    except BadInput:
        return None
    if answer.failed:
        code = answer.codes[0] if answer.codes else ""
        return Fault(
            code.rpartition(":")[2].partition(".")[0].strip(), answer.texts[0] if answer.texts else ""
        )
    return Returned(answer.values[0] if answer.values else "") if answer.responded else None


def _charset(reply: Reply) -> str | None:
    """Return the charset of Content-Type, which goes before what the XML declares (RFC 7303 section 3.2)."""
    header = Message()
    header["Content-Type"] = reply.headers.get("content-type", "")
    charset = header.get_content_charset()
    return charset or None


@dataclass(slots=True)
class _Answer:
    """Collects what stands in the envelope's body."""

    deepest: int = 5  # Envelope/Body/Fault/Code/Value
    longest_text: int = LARGEST_ANSWER
    failed: bool = False
    responded: bool = False
    codes: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def opened(self, path: Path, _attributes: dict[str, str]) -> bool:
        """Look at what is in the body; return True for what is asked for by its text."""
        inside = _in_body(path)
        if inside is None:
            return False
        name, *below = inside
        fault = path[2] in [f"{each} Fault" for each in _NAMESPACES]
        self.failed |= fault
        self.responded |= name == _RESPONSE
        return tuple(below) in (*_CODES, *_TEXTS) if fault else name == _RESPONSE and len(below) == 1

    def closed(self, path: Path, text: str) -> None:
        """Keep the text."""
        _name, *below = _in_body(path) or ("",)
        if tuple(below) in _CODES:
            self.codes.append(text)
        elif tuple(below) in _TEXTS:
            self.texts.append(text)
        else:
            self.values.append(text)


def _in_body(path: Path) -> tuple[str, ...] | None:
    """The local names from a child of the body on; None outside of one."""
    if not path[2:] or path[:2] not in [(f"{each} Envelope", f"{each} Body") for each in _NAMESPACES]:
        return None
    return tuple([name.rpartition(" ")[2] for name in path[2:]])

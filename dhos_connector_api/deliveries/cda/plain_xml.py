"""Reading XML that others wrote, in one pass, taking only what cannot reach beyond the document itself.

Expat calls back as it reads and keeps no tree; nothing is ever fetched. What could fetch or multiply
is refused where it begins: a DOCTYPE, and with it every entity but the five of XML itself (XML 1.0
section 4), and XInclude. The limits below keep time and memory in proportion to the length.
"""

from dataclasses import dataclass, field
from typing import Protocol
from xml.parsers.expat import ErrorString, ExpatError, ParserCreate, XMLParserType

from dhos_connector_api.errors import BadInput

#: Levels of elements; real documents have some 30.
MOST_LEVELS = 256
#: Bytes of one tag, comment or instruction: what is not complete is looked at again with every slice.
LONGEST_TAG = 1 << 20
#: Characters; expat gives a namespace anew with the name of every element in it.
LONGEST_NAMESPACE = 256
_SLICE = 1 << 18
#: What expat knows, and two alphabets of one byte. Any other name would be looked up among Python's codecs.
_ENCODINGS = frozenset({"utf-8", "utf-16", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"})
#: Of 2001 (the recommendation) and of 2003, which libxml2 follows as well.
_XINCLUDE = ("http://www.w3.org/2001/XInclude ", "http://www.w3.org/2003/XInclude ")

#: Names of the elements from the root on; `namespace name`, or the name alone where there is none.
Path = tuple[str, ...]


class Visitor(Protocol):
    """A receiver of the elements of the first `deepest` levels."""

    deepest: int
    longest_text: int

    def opened(self, path: Path, attributes: dict[str, str]) -> bool:
        """Note that an element begins; return whether its text is wanted, that of the elements in it too."""
        ...

    def closed(self, path: Path, text: str) -> None:
        """Note the text of an element that ends, if it was wanted, cut after `longest_text` characters."""
        ...


def read_plain(content: bytes, visitor: Visitor, encoding: str | None = None) -> None:
    """Read a whole document, in the encoding it declares or, whatever it declares, in the one given.

    Raises BadInput, with a text that quotes nothing of it.
    """
    parser = _parser(visitor, encoding)
    view = memoryview(content)
    try:
        for begin in range(0, len(view), _SLICE):
            end = begin + _SLICE
            parser.Parse(view[begin:end], False)
            if min(end, len(view)) - parser.CurrentByteIndex > LONGEST_TAG:
                raise BadInput(f"the XML has a tag or comment longer than {LONGEST_TAG} bytes")
        parser.Parse(b"", True)
    except ExpatError as error:
        place = f"{ErrorString(error.code)}, line {error.lineno}"
        raise BadInput(f"the XML is not well-formed ({place})") from None


def _parser(visitor: Visitor, encoding: str | None) -> XMLParserType:
    if encoding is not None:
        _check_encoding("", encoding, 0)
    parser = ParserCreate(encoding, namespace_separator=" ")
    parser.buffer_text = True
    walk = _Walk(visitor, parser)
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    if encoding is None:
        parser.XmlDeclHandler = _check_encoding
    parser.StartNamespaceDeclHandler = _check_namespace
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_entity
    parser.ExternalEntityRefHandler = _refuse_entity
    parser.SkippedEntityHandler = _refuse_entity
    return parser


@dataclass(slots=True)
class _Walk:
    """Where in the document expat is."""

    visitor: Visitor
    parser: XMLParserType
    level: int = 0
    path: Path = ()
    wanted: int = 0  # the level of the element whose text is being collected
    pieces: list[str] = field(default_factory=list)
    room: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.level += 1
        if self.level > MOST_LEVELS:
            raise BadInput(f"the XML has more than {MOST_LEVELS} levels")
        if name.startswith(_XINCLUDE):
            raise BadInput("the XML has an XInclude, which is not allowed")
        if self.level > self.visitor.deepest:
            return
        self.path = (*self.path, name)
        if self.visitor.opened(self.path, attributes) and not self.wanted:
            self.wanted, self.pieces, self.room = self.level, [], self.visitor.longest_text
            self.parser.CharacterDataHandler = self.text

    def end(self, _name: str) -> None:
        if self.level == self.wanted:
            self.wanted = 0
            self.parser.CharacterDataHandler = None
            self.visitor.closed(self.path, "".join(self.pieces))
        if self.level <= self.visitor.deepest:
            self.path = self.path[:-1]
        self.level -= 1

    def text(self, data: str) -> None:
        if self.room > 0:
            self.pieces.append(data[: self.room])
            self.room -= len(data)


def _check_encoding(_version: str, name: str | None, _standalone: int) -> None:
    if name is not None and name.lower() not in _ENCODINGS:
        raise BadInput("the XML is in an encoding that is not taken")


def _check_namespace(_prefix: str | None, name: str | None) -> None:
    if name and len(name) > LONGEST_NAMESPACE:
        raise BadInput(f"the XML has a namespace longer than {LONGEST_NAMESPACE} characters")


def _refuse_doctype(*_: object) -> None:
    raise BadInput("the XML has a DOCTYPE, which is not allowed")


def _refuse_entity(*_: object) -> int:
    raise BadInput("the XML has an entity of its own, which is not allowed")

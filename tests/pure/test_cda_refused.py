"""CDA documents that could do harm: they are refused, and none is much work."""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.deliveries.cda.document import LONGEST_TITLE, MOST_IDENTIFIERS, Document, read
from dhos_connector_api.deliveries.cda.plain_xml import (
    LONGEST_NAMESPACE,
    LONGEST_TAG,
    MOST_LEVELS,
    Path,
    read_plain,
)
from dhos_connector_api.errors import BadInput
from dhos_connector_api.site.model import IdentifierTable
from tests.builders.cda import cda


def header(content: str) -> Document:
    return read(content, table=IdentifierTable(), zone=UTC)


_XINCLUDE = "<a xmlns:xi='{}'><b><xi:include href='CANARY'/></b></a>"

REFUSED: dict[str, tuple[str, str]] = {
    "nothing": ("", "not well-formed"),
    "blanks": (" \n", "not well-formed"),
    "text": ("CANARY", "not well-formed"),
    "not ended": ("<CANARY><a>", "not well-formed"),
    "crossed": ("<CANARY><a></CANARY></a>", "not well-formed"),
    "two roots": ("<a/><CANARY/>", "not well-formed"),
    "an attribute twice": ("<a CANARY='1' CANARY='2'/>", "not well-formed"),
    "an unknown prefix": ("<CANARY:a/>", "not well-formed"),
    "text before the declaration": (" <?xml version='1.0'?><a/>", "not well-formed"),
    "NUL": ("<a>\0CANARY</a>", "not well-formed"),
    "a control byte": ("<a>\x01</a>", "not well-formed"),
    "a reference to NUL": ("<a>&#0;</a>", "not well-formed"),
    "a non-character": ("<a>\uffff</a>", "not well-formed"),
    "half a surrogate pair": ("<a>\ud83d</a>", "surrogate"),
    "an undeclared entity": ("<a>&CANARY;</a>", "not well-formed"),
    "a DOCTYPE": ("<!DOCTYPE CANARY><CANARY/>", "DOCTYPE"),
    "a DOCTYPE that is not ended": ("<!DOCTYPE CANARY [<!ENTITY", "DOCTYPE"),
    "an external DTD": ("<!DOCTYPE a SYSTEM 'http://CANARY/x.dtd'><a/>", "DOCTYPE"),
    "an entity": ("<!DOCTYPE a [<!ENTITY e 'CANARY'>]><a>&e;</a>", "DOCTYPE"),
    "an external entity": ("<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///CANARY'>]><a>&e;</a>", "DOCTYPE"),
    "a parameter entity": ("<!DOCTYPE a [<!ENTITY % e SYSTEM 'http://CANARY/'>%e;]><a/>", "DOCTYPE"),
    "a default attribute": ("<!DOCTYPE a [<!ATTLIST a b CDATA 'CANARY'>]><a/>", "DOCTYPE"),
    "XInclude": (_XINCLUDE.format("http://www.w3.org/2001/XInclude"), "XInclude"),
    "XInclude of 2003": (_XINCLUDE.format("http://www.w3.org/2003/XInclude"), "XInclude"),
    "too deep": ("<a>" * (MOST_LEVELS + 1) + "</a>" * (MOST_LEVELS + 1), "levels"),
    "a namespace too long": (f"<a xmlns='{'n' * (LONGEST_NAMESPACE + 1)}'/>", "namespace"),
    "a prefix's namespace too long": (f"<a xmlns:p='{'n' * (LONGEST_NAMESPACE + 1)}'/>", "namespace"),
    "a tag too long": (f"<a b='{'x' * 2 * LONGEST_TAG}'/>", "tag"),
    "a comment too long": (f"<a><!--{'x' * 2 * LONGEST_TAG}--></a>", "tag"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_do_harm_is_refused_and_not_quoted(name: str) -> None:
    content, why = REFUSED[name]
    with pytest.raises(BadInput) as caught:
        header(content)
    assert why in caught.value.text
    assert "CANARY" not in caught.value.text
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "content",
    [
        "<a xmlns:xi='http://www.w3.org/2001/XInclude'/>",
        "<a>" * MOST_LEVELS + "</a>" * MOST_LEVELS,
        f"<a xmlns='{'n' * LONGEST_NAMESPACE}'/>",
        f"<a>{'x' * 3 * LONGEST_TAG}</a>",
        f"<a><![CDATA[{'<' * 3 * LONGEST_TAG}]]></a>",
        f"<a>{' ' * 3 * LONGEST_TAG}</a>{' ' * 3 * LONGEST_TAG}",
        f"<a b='{'x' * (LONGEST_TAG // 2)}'/>",
        "<a>" + "<b/>" * 100_000 + "</a>",
        "<a>\x85\x7f\x9f\u2028\U0001fffe</a>",
    ],
    ids=range(9),
)
def test_what_is_merely_large_or_odd_is_taken(content: str) -> None:
    assert header(content) == Document()


@given(st.text())
def test_whatever_is_sent_is_read_or_refused(content: str) -> None:
    for text in (content, f"<a>{content}</a>", cda(title=f"<title>{content}</title>")):
        try:
            assert len(header(text).title) <= LONGEST_TITLE
        except BadInput as refused:
            assert refused.text.startswith("the XML ")


@given(st.text(alphabet="<>/=\"' !-[]?&;#aCDxX\0\r\n%", max_size=60))
def test_whatever_looks_like_markup_is_read_or_refused(content: str) -> None:
    for text in (content, f"<a>{content}</a>", cda(body=content)):
        try:
            header(text)
        except BadInput:
            continue


@dataclass
class Counting:
    """Counts what a document makes a visitor do."""

    deepest: int = 4
    longest_text: int = 100
    calls: int = 0

    def opened(self, path: Path, attributes: dict[str, str]) -> bool:
        self.calls += 1 + len(attributes)
        return True

    def closed(self, path: Path, text: str) -> None:
        self.calls += 1
        assert len(text) <= self.longest_text


GROWING: dict[str, Callable[[int], str]] = {
    "elements": lambda size: "<a>" + "<b/>" * (size // 4) + "</a>",
    "elements in a long namespace": lambda size: (
        f"<a xmlns='{'n' * LONGEST_NAMESPACE}'>" + "<b/>" * (size // 4) + "</a>"
    ),
    "levels": lambda size: "<a>" + ("<b>" * 200 + "</b>" * 200) * (size // 1400) + "</a>",
    "text": lambda size: f"<ClinicalDocument><title>{'x' * size}</title></ClinicalDocument>",
    "references": lambda size: f"<ClinicalDocument><title>{'&lt;' * (size // 4)}</title></ClinicalDocument>",
    "comments": lambda size: "<a>" + "<!---->" * (size // 7) + "</a>",
    "attributes": lambda size: "<a>" + "".join(f"<b{n} c{n}=''/>" for n in range(size // 20)) + "</a>",
    "patients": lambda size: (
        "<ClinicalDocument><recordTarget>"
        + "<patientRole><id extension='K1'/></patientRole>" * (size // 47)
        + "</recordTarget></ClinicalDocument>"
    ),
    "namespaces": lambda size: "<a>" + "<b xmlns='u' xmlns:p='v'/>" * (size // 26) + "</a>",
}


@pytest.mark.parametrize("name", GROWING)
def test_work_and_memory_are_in_proportion_to_the_length(name: str) -> None:
    """A document four times as long: as many more calls, and as much more memory at most."""
    calls, peaks = [], []
    for size in (300_000, 1_200_000):
        content = GROWING[name](size)
        counting = Counting()
        read_plain(content.encode(), counting)
        calls.append(counting.calls)
        tracemalloc.start()
        found = header(content)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(found.identifiers) <= MOST_IDENTIFIERS
    assert calls[1] <= 4.2 * calls[0] + 10
    assert peaks[1] <= 4.2 * peaks[0] + 500_000
    assert peaks[1] <= 20 * 1_200_000

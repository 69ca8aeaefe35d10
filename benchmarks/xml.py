"""Reading CDA documents, ordinary and hostile: time and memory in proportion to their length."""

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from xml.parsers.expat import ExpatError, ParserCreate

from benchmarks.harness import Bench
from benchmarks.table import Row
from dhos_connector_api.deliveries.cda import document as cda
from dhos_connector_api.errors import BadInput
from dhos_connector_api.site.model import IdentifierTable

PART = "xml"
_SIZES = (100_000, 1_000_000, 5_000_000)
_RUNS = 3
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3">'
    '<id root="2.16.840.1.113883.19.4" extension="D1"/><title>Discharge letter</title>'
    '<effectiveTime value="20260131093000+0000"/><recordTarget><patientRole>'
    '<id root="2.16.840.1.113883.2.1.4.1" extension="9434765919"/></patientRole></recordTarget>'
)
_ENTRY = (
    '<entry typeCode="DRIV"><observation classCode="OBS" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.2"/><id root="c6f88321-67ad-11db-bd13-0800200c9a66"/>'
    '<code code="8867-4" codeSystem="2.16.840.1.113883.6.1" displayName="Heart rate"/>'
    '<text>Taken at rest &amp; lying</text><statusCode code="completed"/><value value="72" unit="/min"/>'
    "</observation></entry>"
)


def _filled(piece: str, head: str = _HEAD, tail: str = "</ClinicalDocument>") -> Callable[[int], str]:
    """Documents of a length: head, as many pieces as fit, tail."""
    return lambda size: head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


def _deep(size: int) -> str:
    return _HEAD + "<a>" * (size // 3)


#: Both what is read to its end and what is refused: at once, or when a limit is reached.
_KINDS: dict[str, Callable[[int], str]] = {
    "a CDA": _filled(_ENTRY),
    "empty elements": _filled("<a/>"),
    "a long namespace": _filled("<a/>", f"{_HEAD}<n xmlns='{'n' * 256}'>", "</n></ClinicalDocument>"),
    "one text": _filled("x"),
    "one attribute": _filled("x", f'{_HEAD}<a b="', '"/></ClinicalDocument>'),
    "endless levels": _deep,
    "billion laughs": _filled("&e;", f"<!DOCTYPE a [<!ENTITY e '{'ha' * 50_000}'>]>{_HEAD}"),
}


def measure(_bench: Bench) -> list[Row]:
    """CPU milliseconds and peak memory for each size and kind; bare expat on the same CDA beside it."""
    rows = []
    for size in _SIZES:
        name = f"{size / 1e6:g} MB"
        bare = milliseconds(_bare, _KINDS["a CDA"](size))
        rows.append(Row(PART, f"{name}, bare expat on a CDA", bare, "ms CPU"))
        for kind, make in _KINDS.items():
            content = make(size)
            spent = milliseconds(_read, content)
            note = f"{peak_megabytes(content):.2f} MB at most, {_outcome(content)}"
            rows.append(Row(PART, f"{name}, {kind}", spent, "ms CPU", note=note))
    return rows


def milliseconds(work: Callable[[str], object], content: str) -> float:
    """The least CPU time of some runs."""
    times = []
    for _ in range(_RUNS):
        before = time.thread_time()
        work(content)
        times.append((time.thread_time() - before) * 1000)
    return min(times)


def peak_megabytes(content: str) -> float:
    """The most memory that reading it takes, beside the content itself."""
    tracemalloc.start()
    _read(content)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def _read(content: str) -> None:
    with suppress(BadInput):
        cda.read(content, table=IdentifierTable(), zone=UTC)


def _outcome(content: str) -> str:
    try:
        cda.read(content, table=IdentifierTable(), zone=UTC)
    except BadInput:
        return "refused"
    return "read"


def _bare(content: str) -> None:
    with suppress(ExpatError):
        ParserCreate("utf-8").Parse(content.encode(), True)

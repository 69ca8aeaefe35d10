"""What the figures are worth on this machine: each against the yardstick of the same run."""

from collections.abc import Sequence

from benchmarks.table import Row

PART = "ratios"
#: The predecessor, on a 2-core machine where python-hl7 took 0.95 ms for the message it was sent.
_PREDECESSOR_RATE = 120
_PREDECESSOR_PARSES = "predecessor: 5.6 and more"
#: How much slower messages may come in while the EPR is dead, of how it is while it answers.
_BESIDE_DEAD = 1.5
#: CPU of a message in web under load, to a parse of the same message by python-hl7.
_WEB_TO_PARSE = 1.1

_ECHO = "plain Flask echoes it"
_PARSE = "python-hl7 parse, every core busy"
#: Title, figure, the figure it is divided by (by their names, the latter by its beginning), most, note.
_RATIOS: tuple[tuple[str, str, str, float | None, str], ...] = (
    ("messages to bare inserts, 1 connections", " 1 connections: rate", "bare insert + commit, 1 ", None, ""),
    ("messages to bare inserts, 8 connections", " 8 connections: rate", "bare insert + commit, 8 ", None, ""),
    ("messages to plain Flask echoes, 8 connections", " 8 connections: rate", _ECHO, None, ""),
    (
        "CPU of a message in web to a plain Flask echo",
        " 8 connections: CPU web",
        "plain Flask echo, CPU",
        None,
        "",
    ),
    (
        "CPU of a message in web to one python-hl7 parse",
        " 8 connections: CPU web",
        _PARSE,
        None,
        _PREDECESSOR_PARSES,
    ),
    (
        "CPU of a message in web to one python-hl7 parse, 32 connections",
        "32 connections: CPU web",
        _PARSE,
        _WEB_TO_PARSE,
        _PREDECESSOR_PARSES,
    ),
    ("ORU requests to plain Flask echoes, 8 connections", "ORU, 4 at once: accepted", _ECHO, None, ""),
    ("CPU of an ORU request in web to one python-hl7 parse", "ORU, 4 at once: CPU web", _PARSE, None, ""),
    *(
        (
            f"HL7 in beside a dead EPR to beside a healthy one, {share}",
            f"HL7 in, beside a dead EPR: {share}",
            f"HL7 in, beside a healthy EPR: {share}",
            _BESIDE_DEAD,
            "",
        )
        for share in ("p50", "p99")
    ),
)


def ratios(rows: Sequence[Row]) -> list[Row]:
    """The ratios that the parts measured in this run allow."""
    values = {row.name: row.value for row in rows}
    found: list[Row] = []
    for title, over, beginning, most, note in _RATIOS:
        under = next((value for name, value in values.items() if name.startswith(beginning)), 0.0)
        if over in values and under:
            found.append(Row(PART, title, values[over] / under, "x", most=most, note=note))
    for connections in (1, 8, 32):
        name = f"{connections:2d} connections: rate"
        if name in values:
            title = f"rate to the predecessor's {_PREDECESSOR_RATE}/s, {connections} connections"
            least = 4.0 if connections == 1 else 6.0
            found.append(Row(PART, title, values[name] / _PREDECESSOR_RATE, "x", least=least))
    return found

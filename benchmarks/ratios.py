"""What the figures are worth on this machine: each against the yardstick of the same run."""

from collections.abc import Sequence

from benchmarks.table import Row

PART = "ratios"
#: The predecessor, on a 2-core machine where python-hl7 took 0.95 ms for the message it was sent.
_PREDECESSOR_RATE = 120
_PREDECESSOR_PARSES = 5.6


def ratios(rows: Sequence[Row]) -> list[Row]:
    """The ratios that the parts measured in this run allow."""
    values = {row.name: row.value for row in rows}
    found: list[Row] = []

    def add(
        name: str, over: str, under: str, unit: str, *, most: float | None = None, note: str = ""
    ) -> None:
        if over in values and values.get(under):
            found.append(Row(PART, name, values[over] / values[under], unit, most=most, note=note))

    for connections in (1, 8):
        add(
            f"messages to bare inserts, {connections} connections", f"{connections:2d} connections: rate",
            f"bare insert + commit, {connections} connections", "x",
        )  # fmt: skip
    echo = next((row.name for row in rows if row.name.startswith("plain Flask echoes")), "")
    add("messages to plain Flask echoes, 8 connections", " 8 connections: rate", echo, "x")
    add(
        "CPU of a message in web to a plain Flask echo",
        " 8 connections: CPU web",
        "plain Flask echo, CPU",
        "x",
    )
    parse = "python-hl7 parse, every core busy"
    add(
        "CPU of a message in web to one python-hl7 parse", " 8 connections: CPU web", parse, "x",
        note=f"predecessor: {_PREDECESSOR_PARSES} and more",
    )  # fmt: skip
    for connections in (1, 8, 32):
        name = f"{connections:2d} connections: rate"
        if name in values:
            least = 4.0 if connections == 1 else 6.0
            ratio = values[name] / _PREDECESSOR_RATE
            title = f"rate to the predecessor's {_PREDECESSOR_RATE}/s, {connections} connections"
            found.append(Row(PART, title, ratio, "x", least=least))
    return found

"""Entries of the audit trail as text (pure): one JSON object a line, or CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

#: The columns that are shown, in their order.
COLUMNS = (
    "id", "at", "actor_kind", "actor_id", "action", "object_type", "object_id", "hospital_id", "request_id",
    "fields",
)  # fmt: skip
#: The names of the columns where the answer of the list has others.
NAMES = {"actor_id": "actor", "hospital_id": "hospital"}


def lines(rows: Iterable[Mapping[Any, Any]], form: str) -> Iterator[str]:
    """Return the lines of a file: `csv` begins with the names, `jsonl` has one object on each."""
    names = [NAMES.get(each, each) for each in COLUMNS]
    if form == "csv":
        yield _csv(names)
    for row in rows:
        values = [_plain(row[name]) for name in COLUMNS]
        if form == "csv":
            yield _csv([" ".join(each) if isinstance(each, list) else each for each in values])
        else:
            yield json.dumps(dict(zip(names, values, strict=True))) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value if value is None or isinstance(value, str | list) else str(value)


def _csv(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()

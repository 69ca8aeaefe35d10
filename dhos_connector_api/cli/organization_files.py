"""Files of organizations: CSV with a line of names, or JSON: a list of objects."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dhos_connector_api.px.organizations.imported import Line

_FIRST = 2  # the line of a CSV file that follows its names


def read(path: Path) -> list[Line]:
    """Return the lines of a file, by its suffix. Raises ClickException where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return _json(text) if path.suffix.lower() == ".json" else list(_csv(text))
    except UnicodeDecodeError:
        raise click.ClickException("the file is not in UTF-8") from None
    except (ValueError, csv.Error) as error:
        raise click.ClickException(f"the file cannot be read: {error}") from None


def write(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, as_json: bool) -> Iterator[str]:
    """Yield the text of a file with these rows, piece by piece."""
    if as_json:
        yield "["
        for number, row in enumerate(rows):
            yield (",\n" if number else "\n") + json.dumps(row, ensure_ascii=False)
        yield "\n]\n"
        return
    yield _csv_line(columns)
    for row in rows:
        yield _csv_line([_text(row.get(name)) for name in columns])


def _json(text: str) -> list[Line]:
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError("it is no list of objects")
    return [Line(number, values) for number, values in enumerate(found, 1)]


def _csv(text: str) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    number = _FIRST
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {number} has not as many values as there are names")
        yield Line(number, row)
        number = reader.line_num + 1


def _csv_line(values: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ";".join(value) if isinstance(value, list) else str(value)

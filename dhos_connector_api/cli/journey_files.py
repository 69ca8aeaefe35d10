"""Files of templates of journeys: TOML, a `[[template]]` with its `[[template.stage]]`."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from dhos_connector_api.px.journeys.template_importing import Taken, Told
from dhos_connector_api.px.organizations.imported import Outcome


def read(path: Path) -> list[Told]:
    """Return the templates of a file. Raises ClickException where it cannot be read."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        unknown = found.keys() - {"template"}
        if unknown:
            raise ValueError("it has something beside [[template]]")
        templates = _tables(found, "template", "[[template]]")
        return [_told(number, each) for number, each in enumerate(templates, 1)]
    except UnicodeDecodeError:
        raise click.ClickException("the file is not in UTF-8") from None
    except ValueError as error:
        raise click.ClickException(f"the file cannot be read: {error}") from None


def write(templates: Iterable[Told]) -> str:
    """Return the text of a file with these templates."""
    parts = ["# Templates of journeys, as `journeys import` takes them.\n"]
    for each in templates:
        hospital = {"hospital": each.fields["hospital"]}
        parts.append(_table("template", hospital | dict(each.fields)))
        parts += [_table("template.stage", stage) for stage in each.stages]
    return "\n".join(parts)


def shown(done: Iterable[Taken]) -> Iterator[str]:
    """Yield the lines that show what became different, and what was refused and why."""
    for each in done:
        place = f"template {each.template.line.number}"
        yield from _lines(each.template, place)
        for stage in each.stages:
            yield from _lines(stage, f"{place}, stage {stage.line.number or 'that is left out'}")


def summary(done: Iterable[Taken]) -> str:
    """Return how many templates and stages were made, changed, the same and refused."""
    signs = Counter(one.sign for each in done for one in (each.template, *each.stages))
    words = {"+": "made", "~": "changed", "=": "the same", "!": "refused"}
    return ", ".join(f"{signs[sign]} {word}" for sign, word in words.items())


def _told(number: int, table: Mapping[str, Any]) -> Told:
    fields = {name: value for name, value in table.items() if name != "stage"}
    return Told(number, fields, _tables(table, "stage", f"template {number}: [[template.stage]]"))


def _tables(found: Mapping[str, Any], name: str, place: str) -> list[Mapping[str, Any]]:
    tables = found.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise ValueError(f"{place} is no list of tables")
    return tables


def _table(name: str, values: Mapping[str, Any]) -> str:
    return f"[[{name}]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: Any) -> str:
    """Return a text, number or flag as TOML: its texts are those of JSON, but for DEL, which is escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _lines(outcome: Outcome, place: str) -> Iterator[str]:
    for name, reasons in outcome.details.items():
        yield f"! {place}: {name}: {', '.join(reasons)}"
    if outcome.sign in ("+", "~"):
        yield f"{outcome.sign} {place}: {outcome.key}"
        for name, (was, now) in outcome.differences.items():
            yield f"    {name}: {_short(was)} -> {_short(now)}"


def _short(value: Any) -> str:
    return "-" if value in (None, "") else str(value)

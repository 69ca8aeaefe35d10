"""Rewrites what is made in the README and docs/envelopes.md from what it describes; --check only compares."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from dhos_connector_api.app import configuration, rooms
from dhos_connector_api.config.load import SettingText
from dhos_connector_api.db.metadata import db
from dhos_connector_api.spec import document as specification

ROOT = Path(__file__).parents[1]
#: Messages, and the envelopes that a test says they become: full ones, and events alone.
_SAMPLES = ROOT / "tests" / "samples"
#: PostgreSQL's long names, as mermaid takes them: one word.
_SHORT = {"timestamp with time zone": "timestamptz", "double precision": "double"}


def endpoints() -> Iterator[str]:
    """One line an operation, in the order in which paths are matched."""
    yield "| path | method | scope | what it does |"
    yield "|---|---|---|---|"
    for each in specification.operations(specification.load()):
        scopes = [scope for one in each.definition["security"] for names in one.values() for scope in names]
        scope = ", ".join(f"`{name}`" for name in dict.fromkeys(scopes)) or "-"
        scope += " or an API key" if {"api_key": []} in each.definition["security"] else ""
        yield f"| `{each.path}` | {each.method.upper()} | {scope} | {_cell(each.definition['summary'])} |"


def settings() -> Iterator[str]:
    """One line a setting, under the name of its group, in the order in which the rooms declare them."""
    yield "| variable | default | what it is for |"
    yield "|---|---|---|"
    group = None
    for each in configuration.describe():
        if each.group != group:
            group = each.group
            yield f"| **{_cell(group)}** | | |"
        default = "required" if each.required else "-" if each.default is None else f"`{each.default}`"
        yield f"| `{each.name}` | {default} | {_cell(each.text)}{_secrecy(each)} |"


def _secrecy(each: SettingText) -> str:
    if not each.secret:
        return ""
    return f" (secret, at least {each.least} bytes)" if each.least else " (secret)"


def database() -> Iterator[str]:
    """The tables as a mermaid diagram; a line joins a column `table_key` to that table's key."""
    rooms.import_all("models")
    tables = {name: db.metadata.tables[name] for name in sorted(db.metadata.tables)}
    yield "```mermaid"
    yield "erDiagram"
    for name, table in tables.items():
        yield f"    {name} {{"
        for column in table.columns:
            yield f"        {_type(column)} {column.name}{' PK' if column.primary_key else ''}"
        yield "    }"
    for name, table in tables.items():
        for target, reference in _references(table, tables):
            yield f"    {target} ||--o{{ {name} : {reference}"
    yield "```"


def _type(column: Column[Any]) -> str:
    name = str(column.type.compile(postgresql.dialect())).lower()  # type: ignore[no-untyped-call]
    return _SHORT.get(name, name).partition("(")[0].replace(" ", "_").replace("[]", "_array")


def _references(table: Table, tables: dict[str, Table]) -> Iterator[tuple[str, str]]:
    for column in table.columns:
        for name, target in tables.items():
            keys = [key.name for key in target.primary_key]
            if target is not table and len(keys) == 1 and column.name == f"{name}_{keys[0]}":
                yield name, column.name


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def actions() -> Iterator[str]:
    """Each trigger that has a full envelope: a message, and what it becomes."""
    yield from _examples(_SAMPLES / "actions")


def events() -> Iterator[str]:
    """Messages that become their event alone."""
    yield from _examples(_SAMPLES / "events")


def _examples(folder: Path) -> Iterator[str]:
    for sample in sorted(folder.glob("*.hl7")):
        yield f"### ADT^{sample.stem}"
        yield ""
        yield "```text"
        yield from sample.read_text("utf-8").splitlines()
        yield "```"
        yield ""
        yield "```json"
        yield from _envelope(json.loads(sample.with_suffix(".json").read_text("utf-8")))
        yield "```"
        yield ""


def _envelope(envelope: dict[str, Any]) -> Iterator[str]:
    """JSON with a line for each action."""
    yield f'{{"dhos_connector_message_uuid": "{envelope["dhos_connector_message_uuid"]}", "actions": ['
    *others, last = (json.dumps(each, ensure_ascii=False) for each in envelope["actions"])
    yield from (f"  {each}," for each in others)
    yield f"  {last}]}}"


Part = Callable[[], Iterator[str]]
_FILES: dict[str, Sequence[Part]] = {
    "README.md": (endpoints, settings, database),
    "docs/envelopes.md": (actions, events),
}


def rewritten(text: str, parts: Sequence[Part]) -> str:
    """Return the text with its parts made anew. Raises ValueError where a marker is missing."""
    for part in parts:
        start, end = f"<!-- {part.__name__} -->", f"<!-- /{part.__name__} -->"
        before, middle, rest = text.partition(start)
        _, closing, after = rest.partition(end)
        if not middle or not closing:
            raise ValueError(f"there is no {start} ... {end}")
        text = "\n".join([before + start, "", *part(), "", end + after])
    return text


def main() -> None:
    """Write the files, or with --check say whether one would change."""
    for name, parts in _FILES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        new = rewritten(text, parts)
        if "--check" not in sys.argv:
            (ROOT / name).write_text(new, encoding="utf-8")
        elif new != text:
            sys.exit(f"{name} is not up to date: make readme")


if __name__ == "__main__":
    main()

"""Rewrites the tables and the diagram of the README from what they describe; --check only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from dhos_connector_api.app import configuration, rooms
from dhos_connector_api.db.metadata import db
from dhos_connector_api.spec import document as specification

README = Path(__file__).parents[1] / "README.md"
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
        yield f"| `{each.name}` | {default} | {_cell(each.text)}{' (secret)' if each.secret else ''} |"


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


def rewritten(text: str) -> str:
    """The README with its three parts made anew. Raises ValueError where a marker is missing."""
    for part in (endpoints, settings, database):
        start, end = f"<!-- {part.__name__} -->", f"<!-- /{part.__name__} -->"
        before, middle, rest = text.partition(start)
        _, closing, after = rest.partition(end)
        if not middle or not closing:
            raise ValueError(f"README.md has no {start} ... {end}")
        text = "\n".join([before + start, "", *part(), "", end + after])
    return text


def main() -> None:
    """Write the README, or with --check say whether it would change."""
    text = README.read_text(encoding="utf-8")
    new = rewritten(text)
    if "--check" not in sys.argv:
        README.write_text(new, encoding="utf-8")
    elif new != text:
        sys.exit("README.md is not up to date: make readme")


if __name__ == "__main__":
    main()

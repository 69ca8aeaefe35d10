"""The owner of a table: its name stands in SQL of its own room alone, but for the few files named here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "dhos_connector_api"
#: Files with SQL on tables of other rooms, and these tables. Their docstring names each table, and says
#: why it is not a call of that room.
SPANNING = {
    "deliveries/search.py": {"message"},
    "deliveries/statements.py": {"message", "message_body"},
    "events/search.py": {"message", "outbox"},
    "events/statements.py": {"message", "message_body", "message_identifier", "outbox"},
    "events/views.py": {"message", "outbox"},
    "messages/statements.py": {"outbox"},
}


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _texts(path: Path) -> Iterator[str]:
    """Every text of a file but its docstrings."""
    tree = ast.parse(path.read_text())
    documented = {id(each) for each in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value


def _tables() -> dict[str, str]:
    """Each table, and the room whose `models.py` declares it."""
    found = {}
    for path in PACKAGE.rglob("models.py"):
        for name in re.findall(r'__tablename__ = "(\w+)"', path.read_text()):
            found[name] = str(path.parent.relative_to(PACKAGE))
    return found


TABLES = _tables()
_USED = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|LIKE)\s+(?:ONLY\s+)?({'|'.join(TABLES)})\b")


def _foreign(path: Path) -> set[str]:
    """The tables of other rooms that a file has SQL on."""
    room = str(path.parent.relative_to(PACKAGE))
    used = {name for text in _texts(path) for name in _USED.findall(text)}
    return {name for name in used if room != TABLES[name]}


def test_every_room_with_tables_is_found() -> None:
    assert {"messages", "outbox", "deliveries", "events", "access"} <= set(TABLES.values())
    assert {TABLES["message"], TABLES["message_body"]} == {"messages"}


def test_sql_on_a_table_stands_in_its_room_alone() -> None:
    found = {str(path.relative_to(PACKAGE)): _foreign(path) for path in PACKAGE.rglob("*.py")}
    assert {
        name: tables - SPANNING.get(name, set())
        for name, tables in found.items()
        if tables - SPANNING.get(name, set())
    } == {}


@pytest.mark.parametrize("name", [each for each in SPANNING if (PACKAGE / each).exists()])
def test_a_file_that_spans_rooms_says_so_in_its_docstring(name: str) -> None:
    path = PACKAGE / name
    foreign = _foreign(path)
    documented = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert {table for table in foreign if f"`{table}`" not in documented} == set()

"""The contract that holds pure code pure: what it finds, and that it breaks."""

from pathlib import Path

import pytest
from grimp import ImportGraph, build_graph
from importlinter.configuration import configure

from tests.rules import import_contracts
from tests.rules.import_contracts import PureContract, marked, outermost

NAME = "a_house"
configure()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImportGraph:
    """A package with a pure room, a module that calls itself pure, and one that does not."""
    files = {
        "__init__.py": '"""A house."""\n',
        "room/__init__.py": '"""A room (pure)."""\n',
        "room/inner.py": '"""Inside it."""\nimport a_house.between\n',
        "between.py": '"""Between the two."""\nimport json\n',
        "alone.py": '"""Counts (pure; seconds in, seconds out).\n\nMore of it.\n"""\nimport json\n',
        "edge.py": '"""At the edge, of which the second line says:\n\nnot (pure).\n"""\nimport json\n',
    }
    for name, text in files.items():
        path = tmp_path / NAME / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return build_graph(NAME, include_external_packages=True, cache_dir=None)


def _broken_by(graph: ImportGraph, rooms: tuple[str, ...] = ()) -> set[str]:
    contract = PureContract(
        name="pure",
        session_options={"root_packages": [NAME], "include_external_packages": "True"},
        contract_options={"rooms": rooms, "forbidden_modules": ("json",)},
    )
    check = contract.check(graph, verbose=False)
    found = {each["downstream_module"] for each in check.metadata["invalid_chains"]}
    assert check.kept is not bool(found)
    return found


def test_pure_is_what_says_so_in_its_first_line(house: ImportGraph) -> None:
    assert list(marked(house)) == ["a_house.alone", "a_house.room"]


def test_pure_code_may_not_reach_what_is_forbidden_even_through_others(house: ImportGraph) -> None:
    assert _broken_by(house) == {"a_house.alone", "a_house.room"}


def test_a_room_is_pure_whatever_it_says(house: ImportGraph) -> None:
    assert _broken_by(house, ("a_house.edge",)) == {"a_house.alone", "a_house.room", "a_house.edge"}


def test_pure_code_that_reaches_nothing_forbidden_is_left_alone(house: ImportGraph) -> None:
    for importer in ("a_house.alone", "a_house.between"):
        house.remove_import(importer=importer, imported="json")
    assert _broken_by(house) == set()


def test_what_stands_in_a_pure_room_is_not_looked_at_twice() -> None:
    assert outermost({"a.b", "a.b.c", "a.bc"}) == {"a.b", "a.bc"}


@pytest.mark.parametrize("room", ["hl7v2", "actions", "auth"])
def test_the_pure_rooms_say_so(room: str) -> None:
    assert import_contracts.MARK in import_contracts.first_line(f"dhos_connector_api.{room}")

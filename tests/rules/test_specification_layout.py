"""Rules for the files of `openapi/`: one file of paths and one module of handlers for each tag."""

import inspect
import re
from importlib import import_module
from typing import Any

import pytest
import yaml

from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.document import FOLDER, Operation

DOCUMENT = specification.load()
OPERATIONS = list(specification.operations(DOCUMENT))
TAGS = [tag["name"] for tag in DOCUMENT["tags"]]
#: Tags of the wing px: their files are in folders `px/`.
PX_TAGS = {each.tag for each in OPERATIONS if each.is_of_wing}
METHODS = {"get", "put", "post", "delete", "patch"}


def _written_in(tag: str) -> list[dict[str, Any]]:
    """Return the operations that stand in the file of a tag."""
    folder = FOLDER / "px" if tag in PX_TAGS else FOLDER
    items = yaml.safe_load((folder / "paths" / f"{tag}.yaml").read_text()).values()
    return [definition for item in items for method, definition in item.items() if method in METHODS]


def _id(operation: Operation) -> str:
    return operation.id


def test_every_tag_has_a_file_of_paths_and_every_file_a_tag() -> None:
    assert {path.stem for path in (FOLDER / "paths").glob("*.yaml")} == set(TAGS) - PX_TAGS
    assert {path.stem for path in (FOLDER / "px/paths").glob("*.yaml")} == PX_TAGS
    assert len(set(TAGS)) == len(TAGS)


@pytest.mark.parametrize("tag", TAGS)
def test_a_file_holds_the_operations_of_its_tag_and_no_others(tag: str) -> None:
    written = _written_in(tag)
    assert written
    assert [each["operationId"] for each in written if each["tags"] != [tag]] == []
    assert {each["operationId"] for each in written} == {each.id for each in OPERATIONS if each.tag == tag}


def test_operation_ids_are_unique() -> None:
    assert len({each.id for each in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=_id)
def test_an_operation_is_a_function_of_its_tags_module(operation: Operation) -> None:
    """Generated clients take the id for a method's name, so it is one: verb and noun, in snake case."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation.id)
    module = import_module(f"dhos_connector_api.api.{'px.' if operation.is_of_wing else ''}{operation.tag}")
    if not operation.is_answered_before_flask:
        handler = getattr(module, operation.id)
        assert inspect.isfunction(handler)
        assert handler.__module__ == module.__name__


def test_a_static_path_stands_before_a_templated_one_that_would_take_it() -> None:
    paths = list(DOCUMENT["paths"])
    for place, path in enumerate(paths):
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
        assert [later for later in paths[place + 1 :] if pattern.fullmatch(later)] == []


def _patterns(schema: Any) -> list[str]:
    """Return the patterns that stand anywhere in a part of the specification."""
    if isinstance(schema, list):
        return [found for each in schema for found in _patterns(each)]
    if not isinstance(schema, dict):
        return []
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    return own + [found for each in schema.values() for found in _patterns(each)]


def test_no_pattern_of_a_request_takes_a_line_end_that_follows() -> None:
    """`$` does: "admin" and "admin\\n" would be two users who look alike."""
    found = _patterns([yaml.safe_load(path.read_text()) for path in FOLDER.rglob("*.yaml")])
    assert found
    assert [each for each in found if each.endswith("$")] == []

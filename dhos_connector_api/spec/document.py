"""The specification: the files of `openapi/` put together into the one document that is enforced.

`python -m dhos_connector_api.spec.document FILE` writes that document, for `tox -e openapi`.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "openapi"
_ROOT = "openapi.yaml"
#: Where the operations of the wing px stand; their errors have a shape of their own (`http/problems.py`).
WING = ("/api/auth/", "/api/organizations/", "/api/journeys/", "/api/audit/")
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document. `definition` is its part of it, `parameters` all that apply."""

    path: str
    method: str
    id: str
    definition: dict[str, Any]
    parameters: tuple[dict[str, Any], ...]

    @property
    def tag(self) -> str:
        """Return its tag, which is also the name of the module that handles it."""
        tag: str = self.definition["tags"][0]
        return tag

    @property
    def is_of_wing(self) -> bool:
        """Return whether it is one of the wing px: its files are in `px/` folders."""
        return self.path.startswith(WING)

    @property
    def right(self) -> str | None:
        """Return the right that a person needs for it (`x-right`); None: no person's token opens it."""
        right: str | None = self.definition.get("x-right")
        return right

    @property
    def takes_persons_alone(self) -> bool:
        """Return whether nothing but a person's token opens it."""
        return [*self.definition.get("security", ())] == [{"person": []}]

    @property
    def is_answered_before_flask(self) -> bool:
        """Return whether it is a probe, which no handler has to do with."""
        return bool(self.definition.get("x-answered-before-flask"))

    @property
    def allowed_issuers(self) -> frozenset[str]:
        """Return the issuers whose tokens are taken; only internal ones unless it says otherwise."""
        return frozenset(self.definition.get("x-allowed-issuers", ("internal",)))


def counted_as_events(document: dict[str, Any]) -> frozenset[str]:
    """Return the operationIds that count against a source's events (`x-rate-limit: events`)."""
    return frozenset(
        each.id for each in operations(document) if each.definition.get("x-rate-limit") == "events"
    )


def counted_by_address(document: dict[str, Any]) -> frozenset[str]:
    """Return the operationIds that count against an address (`x-rate-limit: address`)."""
    return frozenset(
        each.id for each in operations(document) if each.definition.get("x-rate-limit") == "address"
    )


def kept_together(document: dict[str, Any]) -> dict[str, frozenset[str]]:
    """Return the media types of requests that are kept together, by operationId (`x-kept-together`)."""
    found = ((each.id, each.definition.get("x-kept-together")) for each in operations(document))
    return {id_: frozenset(media_types) for id_, media_types in found if media_types}


def taking_any_query(document: dict[str, Any]) -> frozenset[str]:
    """Return the operationIds that take query parameters nobody knows (`x-any-query`)."""
    return frozenset(each.id for each in operations(document) if each.definition.get("x-any-query"))


@cache
def load(folder: Path = FOLDER) -> dict[str, Any]:
    """Return the whole specification as one document, without references to other files."""
    return _Bundle(folder).document()


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Return every operation, in the order in which paths are matched."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                definition = item[method]
                every = [*item.get("parameters", ()), *definition.get("parameters", ())]
                parameters = tuple(_followed(document, each) for each in every)
                yield Operation(path, method, definition["operationId"], definition, parameters)


def _followed(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    return _at(document, node["$ref"].partition("#")[2]) if "$ref" in node else node


def _at(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) points at."""
    for step in pointer.strip("/").split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


class _Bundle:
    """References to `schemas/` become components; all others into other files are written out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, Any] = {}
        self._schemas: dict[str, Any] = {}
        self._places: dict[str, Path] = {}

    def document(self) -> dict[str, Any]:
        root = self._folder / _ROOT
        document: dict[str, Any] = self._resolved(self._file(root), root)
        document["components"]["schemas"] = dict(sorted(self._schemas.items()))
        return document

    def _file(self, path: Path) -> Any:
        if path not in self._files:
            self._files[path] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return self._files[path]

    def _resolved(self, node: Any, path: Path) -> Any:
        if isinstance(node, list):
            return [self._resolved(each, path) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._reference(node["$ref"], path)
        return {str(key): self._resolved(value, path) for key, value in node.items()}

    def _reference(self, reference: str, path: Path) -> Any:
        file, _, pointer = reference.partition("#")
        target = (path.parent / file).resolve() if file else path
        if target.name == _ROOT:
            return {"$ref": f"#{pointer}"}
        found = _at(self._file(target), pointer)
        if target.parent.name != "schemas" or target.stem == "examples":
            return self._resolved(found, target)
        name = pointer.strip("/")
        if self._places.setdefault(name, target) != target:
            raise ValueError(f"{target} and {self._places[name]} both have a schema {name}")
        if name not in self._schemas:
            self._schemas[name] = {}  # known from here on, so that a schema may refer to itself
            self._schemas[name] = self._resolved(found, target)
        return {"$ref": f"#/components/schemas/{name}"}


def write(path: Path) -> None:
    """Write the document as one YAML file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(load(), sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

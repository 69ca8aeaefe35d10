"""Every tag of the specification has its module of handlers, and `app/web.py` knows them all."""

import ast
from pathlib import Path

from dhos_connector_api import api
from dhos_connector_api.app.web import EDGES
from dhos_connector_api.spec import document as specification

_FOLDER = Path(api.__path__[0])
#: Modules of api/ that hold no operation, and serve every tag.
_OF_ALL_TAGS = {"__init__", "px_parts", "schemas", "services", "taking"}
_OF_ALL_PX_TAGS = {"__init__", "asking", "audited"}
_OPERATIONS = list(specification.operations(specification.load()))
_TAGS = {each.tag for each in _OPERATIONS if not each.is_of_wing}
_PX_TAGS = {each.tag for each in _OPERATIONS if each.is_of_wing}


def test_each_tag_is_handled_by_the_module_of_its_name() -> None:
    assert sorted(edge.__name__ for edge in EDGES) == sorted(
        [f"{api.__name__}.{tag}" for tag in _TAGS] + [f"{api.__name__}.px.{tag}" for tag in _PX_TAGS]
    )


def test_a_module_of_no_tag_says_in_its_first_line_which_tag_it_serves() -> None:
    others = {path for path in _FOLDER.glob("*.py") if path.stem not in _TAGS | _OF_ALL_TAGS}
    silent = {path.name for path in others if not any(f"`{tag}`" in _first_line(path) for tag in _TAGS)}
    others = {path for path in _FOLDER.glob("px/*.py") if path.stem not in _PX_TAGS | _OF_ALL_PX_TAGS}
    silent |= {path.name for path in others if not any(f"`{tag}`" in _first_line(path) for tag in _PX_TAGS)}
    assert silent == set()


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]

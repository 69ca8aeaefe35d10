"""What each room declares in a file of the same name everywhere: tables in `models.py`, for instance."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import dhos_connector_api

_PACKAGE = Path(dhos_connector_api.__file__).parent


def import_all(name: str) -> list[ModuleType]:
    """Import the file of that name of every room that has one, in the order of the rooms' names."""
    paths = sorted(_PACKAGE.glob(f"*/**/{name}.py"))
    found = (".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts) for path in paths)
    return [import_module(each) for each in found]

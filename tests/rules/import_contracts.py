"""The contract `pure` of .importlinter: what calls itself pure reaches no I/O, no settings and no clock."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields
from importlinter.contracts.forbidden import ForbiddenContract

MARK = "(pure"


class PureContract(Contract):
    """Forbids `forbidden_modules`, directly and through others, to every module that is pure.

    Pure are the `rooms`, whatever their docstrings say, and every module or package whose docstring
    has "(pure)" or "(pure; ...)" in its first line:

        [importlinter:contract:pure]
        name = Pure code knows no I/O
        type = pure
        rooms = package.room
        forbidden_modules = sqlalchemy
    """

    type_name = "pure"

    rooms = fields.SetField(subfield=fields.StringField())
    forbidden_modules = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return whether it is kept, as a contract `forbidden` with those modules would say."""
        sources = outermost(self.rooms | set(marked(graph)))  # type: ignore[operator]
        self._forbidden = ForbiddenContract(
            name=self.name,
            session_options=self.session_options,
            contract_options={
                "source_modules": sorted(sources),
                "forbidden_modules": sorted(self.forbidden_modules),  # type: ignore[call-overload]
            },
        )
        return self._forbidden.check(graph, verbose)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print every forbidden chain of imports."""
        self._forbidden.render_broken_contract(check)


def marked(graph: ImportGraph) -> Iterator[str]:
    """Yield the modules of the graph, those of others left out, that call themselves pure."""
    for module in sorted(graph.modules):
        if not graph.is_module_squashed(module) and MARK in first_line(module):
            yield module


def outermost(modules: set[str]) -> set[str]:
    """Return the modules without those that stand in a package which is among them."""
    return {each for each in modules if not any(each.startswith(f"{other}.") for other in modules)}


def first_line(module: str) -> str:
    """Return the first line of a module's docstring, without importing the module; "" where it has none."""
    documented = ast.get_docstring(ast.parse(_path(module).read_text(encoding="utf-8"))) or ""
    return documented.partition("\n")[0]


def _path(module: str) -> Path:
    root, *inner = module.split(".")
    spec = find_spec(root)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no package {root}")
    path = Path(spec.origin).parent.joinpath(*inner)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

"""Rules of the house that a machine can hold: one place each for what must have one place."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dhos_connector_api.app.configuration import describe

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dhos_connector_api"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BANNED_ROOMS = {"utils", "helpers", "common", "base", "manager", "controller"}
#: How no docstring begins: with a riddle instead of what comes back or happens.
_RIDDLE = re.compile(r"(Let|Say|Have|Who|How many it)\b")


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _uses(path: Path, name: str) -> Iterator[int]:
    """Lines on which `<something>.name` stands, `<something>` being what `name` says before its dot."""
    owner, _, attribute = name.rpartition(".")
    written = path.read_text()
    if attribute not in written:
        return
    for node in ast.walk(ast.parse(written)):
        if not isinstance(node, ast.Attribute) or node.attr != attribute:
            continue
        if not owner or (isinstance(node.value, ast.Name) and node.value.id == owner):
            yield node.lineno


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_module_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    documented = ast.get_docstring(ast.parse(path.read_text()))
    assert documented
    assert path.stem not in BANNED_ROOMS


def _docstrings(path: Path) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, documented) and (docstring := ast.get_docstring(node)):
            yield docstring


def test_no_docstring_begins_as_a_riddle() -> None:
    found = {_name(path) for path in MODULES if any(map(_RIDDLE.match, _docstrings(path)))}
    assert not found


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("os.environ", {"config/environment.py"}),
        ("commit", {"db/migrate.py"}),
        ("engine.begin", {"db/engine.py"}),
        ("utcnow", set()),
        ("flask.current_app", {"api/services.py"}),
    ],
)
def test_what_has_one_place_stands_there_alone(name: str, allowed: set[str]) -> None:
    used = {_name(path) for path in MODULES if any(_uses(path, name))}
    assert used <= allowed


@cache
def _made(path: Path) -> set[str]:
    """What a module makes: what it calls and what its classes are made from, named as it was imported."""
    tree = ast.parse(path.read_text())
    imported = {
        each.asname or each.name: f"{node.module}.{each.name}".removeprefix("dhos_connector_api.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    found = set()
    for node in ast.walk(tree):
        for each in [node.func] if isinstance(node, ast.Call) else getattr(node, "bases", []):
            owner, _, attribute = ast.unparse(each).partition(".")
            if owner in imported:
                found.add(f"{imported[owner]}.{attribute}".rstrip("."))
    return found


@pytest.mark.parametrize(
    ("made", "file"),
    [
        ({f"config.setting.{each}" for each in ("Group", "Setting", "setting", "together")}, "settings.py"),
        ({"db.metadata.db.Model", "db.metadata.db.Table", "sqlalchemy.Table"}, "models.py"),
        (
            {f"metrics.{each}" for each in ("Counter", "Gauge", "Histogram")},
            "metrics.py",
        ),
        ({"prometheus_client.core.GaugeMetricFamily"}, "gauges.py"),
        ({"db.jobs.Job"}, "periodic.py"),
    ],
    ids=["settings", "tables", "metrics", "gauges", "periodic jobs"],
)
def test_a_room_declares_each_kind_of_thing_in_the_file_of_its_name(made: set[str], file: str) -> None:
    makers = {_name(path) for path in MODULES if made & _made(path)}
    assert makers == {_name(path) for path in MODULES if path.name == file and path.parent != PACKAGE}


def test_exceptions_are_swallowed_in_few_places() -> None:
    found = {
        _name(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.type, ast.Name)
        and node.type.id in ("Exception", "BaseException")
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }
    edges = {"workers/loop.py", "http/front.py", "http/jobs.py", "http/waiting.py", "intake/gathering.py"}
    edges |= {"mllp/committer.py", "mllp/answering.py"}
    kept = {"intake/hl7_read.py", "intake/together.py", "spec/kept_body.py", "deliveries/deliver.py"}
    kept |= {"inbox/apply.py"}
    assert found <= edges | kept


def test_every_setting_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [each.name for each in describe() if f"`{each.name}`" not in readme] == []


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    banned = "|".join(
        ("pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs", "/work" + "/main")
    )
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if path.is_file():
            assert not re.search(banned, path.read_text(errors="ignore")), name


def test_no_test_module_imports_another() -> None:
    """What two of them need is in builders (what tests make) or in rigs (what they start, kill and count)."""
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name.startswith("tests.") and any(each.startswith("test_") for each in name.split("."))
    }
    assert found == set()


def _imported(node: ast.AST) -> list[str]:
    """The names that a statement imports, with the modules they come from."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def test_no_fixture_is_longer_than_thirty_lines() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
        and (node.end_lineno or 0) - node.lineno >= 30
    }
    assert found == set()


def test_metrics_are_made_by_our_own_module_whose_files_are_safe() -> None:
    made = re.compile(r"from prometheus_client import .*\b(Counter|Gauge|Histogram|Summary)\b")
    found = {_name(path) for path in MODULES if made.search(path.read_text())}
    assert found == {"metrics.py"}

"""Rules for the documents: the paths they name exist, their links lead somewhere, decisions are listed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dhos_connector_api"
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
DECISIONS = sorted(path for path in (ROOT / "docs/adr").glob("*.md") if path.name != "README.md")
#: Where a path may begin: at the root of the repository, or in the package.
TOPS = {path.name for path in (*ROOT.iterdir(), *PACKAGE.iterdir())} - {".local"}
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
_FILE = re.compile(r"\.(py|md|yaml|yml|toml|sh|feature)$")
_CODE_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
#: A module in backticks, perhaps with arguments, e.g. `cli/main.py`.
_MODULE = re.compile(r"`([\w./-]+\.py)(?: [^`]*)?`")
_PARTS = ["## Context", "## Decision", "## Consequences"]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _prose(path: Path) -> str:
    return _CODE_BLOCK.sub("", path.read_text(encoding="utf-8"))


def _paths(path: Path) -> Iterator[str]:
    """Yield what stands in backticks and looks like a path of this repository, e.g. `api/messages.py`."""
    for quoted in re.findall(r"`([^`\n]+)`", _prose(path)):
        looks_so = _PATH.fullmatch(quoted) and ("/" in quoted or _FILE.search(quoted))
        if looks_so and (quoted.partition("/")[0] in TOPS or ("/" in quoted and _FILE.search(quoted))):
            yield quoted


def _exists(path: str) -> bool:
    """Whether there is such a file, folder, or module named without its .py."""
    return any((top / name).exists() for top in (ROOT, PACKAGE) for name in (path, f"{path}.py"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_path_that_is_named_exists(document: Path) -> None:
    assert [path for path in _paths(document) if not _exists(path)] == []


def test_paths_are_found_in_the_text() -> None:
    """The rule above would pass if it found nothing."""
    assert len(set(_paths(ROOT / "docs/architecture.md"))) > 40


def _modules_in_docstrings() -> Iterator[tuple[str, str]]:
    """Yield each module that a docstring of the package names, with the file it is named in."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, documented):
                for named in _MODULE.findall(ast.get_docstring(node) or ""):
                    yield _name(path), named


def test_every_module_that_a_docstring_names_exists() -> None:
    """A name without a folder may be that of a module in any room (`settings.py`)."""
    names = {path.name for path in PACKAGE.rglob("*.py")}
    found = list(_modules_in_docstrings())
    assert len(found) > 10
    assert [each for each in found if not (_exists(each[1]) or each[1] in names)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    for link in _LINK.findall(_prose(document)):
        file, _, heading = link.partition("#")
        if "://" in link:
            continue
        target = (document.parent / file).resolve() if file else document
        assert target.exists(), link
        if heading:
            assert heading in _headings(target), link


def _headings(path: Path) -> set[str]:
    """Return the headings as links name them: lower case, words joined by hyphens, nothing else."""
    lines = re.findall(r"(?m)^#+ (.*)$", _prose(path))
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_room_stands_in_the_table_of_rooms() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    files = [path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]
    assert [name for name in rooms if f"| `{name}/` |" not in text] == []
    assert [name for name in files if f"`{name}`" not in text] == []


@pytest.mark.parametrize("decision", DECISIONS, ids=_name)
def test_a_decision_has_its_number_its_status_and_its_parts(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    number = int(decision.name.partition("-")[0])
    assert re.match(rf"# {number}\. \S.*\n\nStatus: (accepted|superseded by \d{{4}})\n", text)
    assert re.findall(r"(?m)^## .*$", text) == _PARTS


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text(encoding="utf-8"))
    assert listed == [path.name for path in DECISIONS]
    assert [int(name[:4]) for name in listed] == list(range(1, len(listed) + 1))

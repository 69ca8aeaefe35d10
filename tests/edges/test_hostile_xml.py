"""Hundreds of hostile documents, and a hostile Mirth: no file is read, nobody else called, little used."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from dhos_connector_api.deliveries.cda.document import Document, read
from dhos_connector_api.deliveries.cda.plain_xml import MOST_LEVELS, read_plain
from dhos_connector_api.deliveries.cda.plain_xml import Path as XmlPath
from dhos_connector_api.deliveries.rules.outcome import LARGEST_ANSWER
from dhos_connector_api.errors import BadInput
from dhos_connector_api.hl7v2.identifiers import MRN
from dhos_connector_api.site.model import IdentifierTable
from fakes.mirth import FakeMirth
from tests.builders.hostile_xml import BAIT, Hostile, Trap, hostile
from tests.builders.mirth import PASSWORD, USER, running_mirth
from tests.rigs.hostile_mirth import CDA, WAYS, answer_with
from tests.rigs.processes import ROOT

#: Of Python's own memory for each byte of a document, beside a little for none: a tag of 50,000
#: attributes, the longest there may be, is the worst.
_BYTES_PER_BYTE, _BYTES = 30, 200_000
# What a fixture of this module has found is looked at by several tests: one worker runs them all.
pytestmark = pytest.mark.xdist_group("hostile_xml")

DOCUMENTS = hostile(CDA, trap="/trap", tripwire="http://tripwire.invalid/")


class Counting:
    """Counts how often expat calls back."""

    deepest = MOST_LEVELS
    longest_text = 0
    calls = 0

    def opened(self, path: XmlPath, attributes: dict[str, str]) -> bool:
        self.calls += 1 + len(attributes)
        return False

    def closed(self, path: XmlPath, text: str) -> None:
        raise AssertionError("nobody asked for a text")


def read_traced(content: str) -> tuple[Document | BadInput, int]:
    """The document, or why it was refused; and the most memory that took."""
    tracemalloc.start()
    try:
        return read(content, table=IdentifierTable(), zone=UTC), tracemalloc.get_traced_memory()[1]
    except BadInput as refused:
        return refused, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_there_are_three_hundred_and_all_differ() -> None:
    assert len({each.content for each in DOCUMENTS}) == len(DOCUMENTS) >= 300
    assert len({each.name for each in DOCUMENTS}) == len(DOCUMENTS)


@pytest.mark.parametrize("each", DOCUMENTS, ids=lambda each: each.name)
def test_it_is_refused_or_harmless_and_little_work(each: Hostile) -> None:
    found, memory = read_traced(each.content)
    if isinstance(found, BadInput):
        assert each.refused is not False
        assert len(found.text) < 200
        assert "tripwire" not in found.text
    else:
        assert each.refused is not True
        assert found.identifiers == ((MRN, "1"),)
    length = len(each.content.encode(errors="replace"))
    assert memory <= _BYTES_PER_BYTE * length + _BYTES
    counting = Counting()
    with suppress(BadInput):
        read_plain(each.content.encode(errors="replace"), counting, "utf-8")
    assert counting.calls <= length // 2


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trap]:
    with Trap(tmp_path_factory.mktemp("hostile")) as trap:
        yield trap


@pytest.fixture(scope="module")
def mirth() -> Iterator[FakeMirth]:
    with running_mirth() as fake:
        yield fake


@pytest.fixture(scope="module")
def seen(trap: Trap, mirth: FakeMirth) -> dict[str, Any]:
    """What a process saw of itself that read and sent every document, and got every answer."""
    orders = {"mirth": mirth.url, "user": USER, "password": PASSWORD}
    orders |= {"trap": str(trap.path), "tripwire": mirth.tripwire.url}
    for way in WAYS:
        answer_with(mirth, way, trap=orders["trap"], tripwire=orders["tripwire"])
    file = trap.path.with_name("orders.json")
    file.write_text(json.dumps(orders))
    command = [sys.executable, "-W", "error", "-m", "tests.rigs.hostile_process", str(file)]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'integration-tests'}", "http_proxy": mirth.tripwire.url}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_no_file_is_read(seen: dict[str, Any], trap: Trap, mirth: FakeMirth) -> None:
    assert not trap.sprung
    assert not any(BAIT in each for each in mirth.taken)
    of_python = (sys.prefix, sys.base_prefix)  # what is imported late
    opened = [each for each in seen["opened"] if not each.startswith(of_python)]
    assert opened == [str(trap.path.with_name("orders.json"))]


def test_the_trap_shows_who_opens_it(tmp_path: Path) -> None:
    with Trap(tmp_path) as trap:
        assert not trap.sprung
        assert trap.path.read_text() == BAIT
        assert trap.sprung


@pytest.mark.slow
def test_nobody_else_is_called(seen: dict[str, Any], mirth: FakeMirth) -> None:
    assert mirth.tripwire.hits == 0
    port = mirth.url.rpartition(":")[2]
    assert seen["connected"], "it did connect to Mirth"
    assert [each for each in seen["connected"] if f"127.0.0.1', {port}" not in each] == []
    assert seen["other"] == []


@pytest.mark.slow
def test_memory_stays_bounded(seen: dict[str, Any]) -> None:
    assert seen["megabytes"] < 150


@pytest.mark.slow
def test_documents_that_may_go_out_arrive_as_they_are(
    seen: dict[str, Any], trap: Trap, mirth: FakeMirth
) -> None:
    outcomes = seen["outcomes"]["documents"]
    sent = hostile(CDA, trap=str(trap.path), tripwire=mirth.tripwire.url)
    assert {each.name for each in sent} == set(outcomes)
    for each in sent:
        arrived = each.content in mirth.taken
        assert outcomes[each.name] == ("accepted" if arrived else "refused")
        assert each.refused is None or arrived is not each.refused


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "failed"), [("wsdl", "transient"), ("xsd", "transient"), ("soap", "ambiguous")]
)
def test_a_hostile_answer_is_understood_or_none(
    seen: dict[str, Any], trap: Trap, mirth: FakeMirth, way: str, failed: str
) -> None:
    outcomes = seen["outcomes"][way]
    every = hostile(WAYS[way], trap=str(trap.path), tripwire=mirth.tripwire.url)
    assert {each.name for each in every} == set(outcomes)
    for each in every:
        if each.refused or len(each.content) > LARGEST_ANSWER:
            assert outcomes[each.name] == failed, each.name
        elif way == "soap" and each.refused is False:
            assert outcomes[each.name] == "accepted", each.name
        else:  # zeep, or the encoding, may have limits of its own
            assert outcomes[each.name] in ("accepted", failed), each.name
    assert list(outcomes.values()).count("accepted") > 50

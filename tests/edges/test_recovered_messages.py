"""Messages whose control id was used twice, at every door: counted by sender, recovered, known then."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import REGISTRY

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.batch import split
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.mllp.answering import FrameAnswerer
from tests.builders.api import READ, WRITE, ask, internal, shared_api
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import Client, msa, serving

Way = Callable[[bytes], bytes]
PATH = "/dhos/v1/message"


@pytest.fixture
def ways(database: Database) -> Iterator[dict[str, Way]]:
    app = shared_api(database)
    desk = FrameAnswerer(database, lambda: INTAKE)

    def post(raw: bytes, media_type: str = "application/hl7-v2") -> bytes:
        headers = {"Content-Type": media_type}
        return ask(app, "POST", PATH, token=internal(WRITE), content=raw, headers=headers).content

    def batched(send: Way) -> Way:
        return lambda raw: split(send(b"BHS|^~\\&\r" + raw + b"BTS|1\r")).messages[0]

    with ExitStack() as stack:
        client = stack.enter_context(Client(stack.enter_context(serving(desk.answer)).port))
        yield {
            "HTTP": post,
            "HTTP, in a batch": batched(lambda raw: post(raw, "application/hl7-v2-batch")),
            "MLLP": client.ask,
            "MLLP, in a batch": batched(client.ask),
        }


def conflicts() -> float:
    """How many were counted, of all senders."""
    (family,) = [each for each in REGISTRY.collect() if each.name == "connector_control_id_conflicts"]
    return sum(each.value for each in family.samples)


@pytest.mark.parametrize("way", ["HTTP", "HTTP, in a batch", "MLLP", "MLLP, in a batch"])
def test_a_conflict_is_counted_and_once_recovered_a_resend_gets_aa(
    ways: dict[str, Way], database: Database, way: str
) -> None:
    first, second = adt(control_id="C1", mrn="M1"), adt(control_id="C1", mrn="M2")
    before = conflicts()
    assert [msa(ways[way](raw)) for raw in (first, second)] == [("AA", "C1"), ("AR", "C1")]
    assert conflicts() - before == 1
    lost = ask(shared_api(database), "GET", f"{PATH}/search/C1", token=internal(READ)).json()[0]
    assert replay(database, lost["uuid"], INTAKE, by="ops", force_new=True).accepted_now
    for other_way in ways.values():
        assert [msa(other_way(raw)) for raw in (first, second)] == [("AA", "C1"), ("AA", "C1")]
    assert conflicts() - before == 1
    shown = ask(shared_api(database), "GET", f"{PATH}/{lost['uuid']}", token=internal(READ)).json()
    assert (shown["state"], shown["ack_status"], shown["repeats"]) == ("accepted", "AR", 4)
    assert shown["duplicate_of"] != shown["uuid"]

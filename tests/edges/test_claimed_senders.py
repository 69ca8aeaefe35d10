"""Which door a sender comes through: claims, the same over HTTP, over MLLP and inside batches; collisions."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.batch import split
from dhos_connector_api.intake.arrival import Intake
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.mllp.answering import FrameAnswerer
from dhos_connector_api.site.schema import parse
from tests.builders.api import READ, WRITE, adapter, api, ask, internal
from tests.builders.hl7 import adt, message
from tests.builders.intake import INTAKE
from tests.builders.mllp import Client, msa, serving
from tests.rigs.stored import count, published

#: CERNER comes through the listener epr, or from the bridge; LAB from any system of the adapter.
CLAIMS = [
    {"listener": "epr", "senders": [{"application": "CERNER"}]},
    {
        "issuer": "epr_adapter",
        "system_id": "bridge",
        "senders": [{"application": "CERNER", "facility": "OXON"}],
    },
    {"issuer": "epr_adapter", "senders": [{"application": "LAB", "facility": "RBH"}]},
]
OPEN = INTAKE
CLAIMED = replace(INTAKE, site=parse({"inbound": {"claims": CLAIMS}}))
BRIDGE = adapter(WRITE, metadata={"system_id": "bridge"})
OTHER = adapter(WRITE, metadata={"system_id": "other"})
NAMESAKE = adapter(WRITE, metadata={"clinician_id": "bridge"})
PLATFORM = internal(WRITE)


class Doors:
    """Every way in for HL7, at one site. A way takes a message and gives the text of its acknowledgement."""

    def __init__(self, database: Database, intake: Intake, stack: ExitStack) -> None:
        self.app: ASGIApp = api(database, changes={"intake": lambda: intake})
        desk = FrameAnswerer(database, lambda: intake)
        self._clients = {
            name: stack.enter_context(
                Client(stack.enter_context(serving(desk.answer, name=name, mode="original")).port)
            )
            for name in ("epr", "lab")
        }

    def post(self, raw: bytes, token: str) -> bytes:
        """One message over HTTP."""
        headers = {"Content-Type": "application/hl7-v2"}
        return ask(self.app, "POST", "/dhos/v1/message", token=token, content=raw, headers=headers).content

    def post_batch(self, raw: bytes, token: str) -> bytes:
        """One message in a batch over HTTP."""
        headers = {"Content-Type": "application/hl7-v2-batch"}
        whole = b"BHS|^~\\&\r" + raw + b"BTS|1\r"
        answer = ask(self.app, "POST", "/dhos/v1/message", token=token, content=whole, headers=headers)
        return split(answer.content).messages[0]

    def send(self, raw: bytes, listener: str) -> bytes:
        """One message over MLLP."""
        return self._clients[listener].ask(raw)

    def send_batch(self, raw: bytes, listener: str) -> bytes:
        """One message in a batch over MLLP."""
        return split(self.send(b"BHS|^~\\&\r" + raw + b"BTS|1\r", listener)).messages[0]

    def seen(self, uuid: Any) -> Any:
        """The message as the API shows it."""
        return ask(self.app, "GET", f"/dhos/v1/message/{uuid}", token=internal(READ)).json()

    def under(self, control_id: str) -> Any:
        """The messages with that control id, newest first."""
        path = f"/dhos/v1/message/search/{control_id}"
        return ask(self.app, "GET", path, token=internal(READ)).json()


@contextmanager
def _doors(database: Database, intake: Intake) -> Iterator[Doors]:
    with ExitStack() as stack:
        yield Doors(database, intake, stack)


@pytest.fixture
def claimed(database: Database) -> Iterator[Doors]:
    with _doors(database, CLAIMED) as doors:
        yield doors


@pytest.fixture
def without_claims(database: Database) -> Iterator[Doors]:
    with _doors(database, OPEN) as doors:
        yield doors


Way = Callable[[Doors, bytes], bytes]
WAYS: dict[str, Way] = {
    "token internal dhos-robot": lambda doors, raw: doors.post(raw, PLATFORM),
    "token epr_adapter bridge": lambda doors, raw: doors.post(raw, BRIDGE),
    "token epr_adapter other": lambda doors, raw: doors.post(raw, OTHER),
    "token epr_adapter": lambda doors, raw: doors.post(raw, NAMESAKE),
    "mllp epr": lambda doors, raw: doors.send(raw, "epr"),
    "mllp lab": lambda doors, raw: doors.send(raw, "lab"),
}
BATCHES: dict[str, Way] = {
    "token internal dhos-robot": lambda doors, raw: doors.post_batch(raw, PLATFORM),
    "token epr_adapter bridge": lambda doors, raw: doors.post_batch(raw, BRIDGE),
    "mllp epr": lambda doors, raw: doors.send_batch(raw, "epr"),
    "mllp lab": lambda doors, raw: doors.send_batch(raw, "lab"),
}
CERNER_COMES = {"token epr_adapter bridge", "mllp epr"}


def counted(name: str, door: str) -> float:
    return REGISTRY.get_sample_value(name, {"door": door}) or 0.0


@pytest.mark.parametrize(("door", "way"), [*WAYS.items(), *BATCHES.items()])
def test_a_claimed_sender_comes_through_its_doors_and_no_other(
    claimed: Doors, database: Database, door: str, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    label = " ".join(door.split()[:2])
    before = counted("connector_claimed_senders_refused_total", label)
    with caplog.at_level(logging.WARNING):
        ack = way(claimed, adt(control_id="C1", MSH_3="CERNER", MSH_4="OXON"))
    (kept,) = claimed.under("C1")
    assert kept["door"] == door
    lines = [each for each in caplog.records if each.message == "the sender is claimed by another door"]
    refused = door not in CERNER_COMES
    assert msa(ack) == ("AR" if refused else "AA", "C1")
    assert (kept["state"], kept["error_code"]) == (("refused", "207") if refused else ("accepted", None))
    assert kept["error_location"] == ("MSH^1^3" if refused else None)
    assert len(published(database)) == (0 if refused else 1)
    assert [(vars(each)["door"], vars(each)["message_uuid"]) for each in lines] == (
        [(door, kept["uuid"])] if refused else []
    )
    assert counted("connector_claimed_senders_refused_total", label) - before == refused


@pytest.mark.parametrize("squat", [WAYS["token internal dhos-robot"], BATCHES["mllp lab"]])
def test_who_is_refused_reserves_no_control_id_and_learns_nothing(
    claimed: Doors, database: Database, squat: Way
) -> None:
    honest = adt(control_id="C1", MSH_3="CERNER")
    assert msa(squat(claimed, adt(control_id="C1", MSH_3="CERNER", family="OTHER")))[0] == "AR"
    assert msa(squat(claimed, honest))[0] == "AR"
    first = claimed.send(honest, "epr")
    assert msa(first) == ("AA", "C1")
    assert msa(squat(claimed, honest))[0] == "AR", "the same bytes are no repeat of it"
    assert claimed.send(honest, "epr") == first
    assert (len(published(database)), count(database)) == (1, 4)
    assert claimed.under("C1")[1]["repeats"] == 1


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"MSH_3": "LAB", "MSH_4": "RBH"}, "AR"),
        ({"MSH_3": " LAB ^1.2^ISO", "MSH_4": "RBH"}, "AR"),
        ({"MSH_3": "LAB", "MSH_4": "OXON"}, "AA"),
        ({"MSH_3": "OTHER", "MSH_4": "RBH"}, "AA"),
        ({"MSH_3": "", "MSH_4": ""}, "AA"),
        ({"MSH_3": "CERNER", "MSH_4": "RBH"}, "AR"),
    ],
)
def test_a_sender_is_claimed_by_msh_3_1_and_msh_4_1(
    claimed: Doors, header: dict[str, str], code: str
) -> None:
    assert msa(claimed.send(adt(**header), "lab"))[0] == code
    assert msa(claimed.post(adt(**header), PLATFORM))[0] == code


@pytest.mark.parametrize("sender", ["CERNER^1.2^ISO", "CERNER~X", "CERNER&1", "CERN\\T\\ER^1"])
@pytest.mark.parametrize("delimiters", ["$%*@", "-%*@", "^%*@#", "^~\\&#"])
def test_delimiters_of_its_own_make_no_other_sender_of_it(
    database: Database, sender: str, delimiters: str
) -> None:
    """The key is made of the fields as they stand: whoever wrote them otherwise would hold it, too."""
    claim = {"listener": "epr", "senders": [{"application": name} for name in ("CERNER", "CERN&ER")]}
    squatter = {"listener": "lab", "senders": [{"application": sender}]}
    intake = replace(INTAKE, site=parse({"inbound": {"claims": [claim, squatter]}}))
    mark = delimiters[0]
    own = {"MSH_2": delimiters, "MSH_9": f"ADT{mark}A01", "PID_3": f"1{mark * 3}MRN{mark}MRN"}
    with _doors(database, intake) as doors:
        assert msa(doors.send(adt(MSH_3="LAB", **own), "lab"))[0] == "AA"
        assert msa(doors.send(adt(control_id="C1", MSH_3=sender, **own), "lab"))[0] == "AR"
        assert msa(doors.send(adt(control_id="C1", MSH_3=sender), "epr"))[0] == "AA"


def test_without_claims_any_sender_comes_through_any_door(without_claims: Doors, database: Database) -> None:
    assert [msa(way(without_claims, adt(MSH_3="CERNER")))[0] for way in WAYS.values()] == ["AA"] * len(WAYS)
    assert len(published(database)) == len(WAYS)


def test_a_replay_goes_by_the_door_the_message_came_through(claimed: Doors, database: Database) -> None:
    claimed.post(adt(control_id="C1", MSH_3="CERNER"), PLATFORM)
    (kept,) = claimed.under("C1")
    refusal = replay(database, kept["uuid"], CLAIMED, by="test").refusal
    assert refusal is not None
    assert (refusal.code, refusal.error) == ("AR", "207")
    assert replay(database, kept["uuid"], OPEN, by="test").accepted_now


def test_a_control_id_used_through_two_doors_is_told_of(
    without_claims: Doors, caplog: pytest.LogCaptureFixture
) -> None:
    doors, name = without_claims, "connector_control_id_collisions_total"
    before = counted(name, "mllp epr")
    doors.post(adt(control_id="C1", MSH_3="CERNER", family="SQUATTER"), PLATFORM)
    with caplog.at_level(logging.INFO):
        ack = doors.send(adt(control_id="C1", MSH_3="CERNER", family="HONEST"), "epr")
    honest, first = doors.under("C1")
    (told,) = [each for each in caplog.records if "other_door" in vars(each)]
    assert msa(ack)[0] == "AR"
    assert b"token" not in ack
    assert (honest["door"], honest["duplicate_of"]) == ("mllp epr", first["uuid"])
    assert honest["error_text"].endswith("It came through token internal dhos-robot.")
    assert (vars(told)["message_uuid"], vars(told)["other_uuid"]) == (honest["uuid"], first["uuid"])
    assert (vars(told)["door"], vars(told)["other_door"]) == ("mllp epr", "token internal dhos-robot")
    assert counted(name, "mllp epr") - before == 1
    doors.send(adt(control_id="C2", MSH_3="CERNER", family="ONE"), "epr")
    caplog.clear()
    doors.send(adt(control_id="C2", MSH_3="CERNER", family="TWO"), "epr")
    assert not [each for each in caplog.records if "other_door" in vars(each)]
    assert counted(name, "mllp epr") - before == 1
    assert "It came" not in doors.under("C2")[0]["error_text"]


def test_a_frame_that_is_not_taken_has_its_door_as_well(database: Database) -> None:
    desk = FrameAnswerer(database, lambda: OPEN)
    with serving(desk.answer, name="epr", largest_message=200) as running, Client(running.port) as client:
        assert msa(client.ask(adt(control_id="C1") + b"X" * 400))[0] == "AR"
        client.ask(message("no message"))
    with database.statements() as connection:
        found = connection.exec_driver_sql("SELECT DISTINCT door FROM message").scalars().all()
    assert found == ["mllp epr"]

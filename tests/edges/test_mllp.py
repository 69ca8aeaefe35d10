"""The MLLP door before a real database: what each message is answered, kept, and not answered."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.batch import is_batch
from dhos_connector_api.hl7v2.framing import Frame, framed
from dhos_connector_api.hl7v2.modes import Mode
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.intake.arrival import Door
from dhos_connector_api.mllp.answering import Answer, FrameAnswerer, ReceivedFrame
from dhos_connector_api.mllp.terms import Sender
from tests.builders.hl7 import adt, many_merges
from tests.builders.intake import INTAKE, REJECTING
from tests.builders.mllp import Client, Memory, Running, listener, msa, serving
from tests.rigs.outages import Away
from tests.rigs.stored import count, published


@pytest.fixture
def desk(database: Database) -> FrameAnswerer:
    return FrameAnswerer(database, lambda: INTAKE)


@pytest.fixture
def running(desk: FrameAnswerer) -> Iterator[Running]:
    with serving(desk.answer) as server:
        yield server


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    with Client(running.port) as connected:
        yield connected


def _row(database: Database) -> Any:
    with database.statements() as connection:
        query = "SELECT m.*, b.received, b.ack FROM message m JOIN message_body b ON b.message_uuid = m.uuid"
        return connection.execute(text(query)).mappings().one()


def test_a_message_is_kept_under_the_listeners_name(database: Database, client: Client) -> None:
    raw = adt(control_id="C1")
    ack = client.ask(raw)
    row = _row(database)
    assert msa(ack) == ("AA", "C1")
    assert (row["state"], row["created_by"], row["src_description"]) == ("accepted", "test", "tie")
    assert (bytes(row["received"]), bytes(row["ack"])) == (raw, ack)
    assert row["correlation_id"].startswith("test-")
    assert len(published(database)) == 1


def test_a_repeat_gets_the_first_acknowledgement_byte_by_byte(database: Database, client: Client) -> None:
    raw = adt()
    assert client.ask(raw) == client.ask(raw)
    assert count(database) == 1


def test_under_reject_a_repeat_gets_ar(database: Database) -> None:
    with (
        serving(FrameAnswerer(database, lambda: REJECTING).answer) as running,
        Client(running.port) as client,
    ):
        raw = adt()
        assert [msa(client.ask(raw))[0] for _ in range(2)] == ["AA", "AR"]


@pytest.mark.parametrize("raw", [b"", b"no message", b"\xff\xfe\x00", b"PID|1\rMSH|^~\\&|\r"])
def test_a_frame_that_cannot_be_read_is_kept_and_gets_ar_with_an_empty_msa_2(
    database: Database, client: Client, raw: bytes
) -> None:
    assert msa(client.ask(raw)) == ("AR", "")
    row = _row(database)
    assert (row["state"], bytes(row["received"]), row["ack_status"]) == ("unparseable", raw, "AR")


def test_utf_16_is_refused_in_utf_8(database: Database, client: Client) -> None:
    ack = client.ask(adt(codec="utf-16", control_id="C1€"))
    assert msa(ack) == ("AR", "C1€")
    assert b"UTF-16" in ack
    assert _row(database)["state"] == "refused"


def test_utf_16_is_refused_in_utf_8_in_enhanced_mode_too(client: Client) -> None:
    raw = b"\xfe\xff" + adt(codec="utf-16-be", control_id="\u0d1c1", MSH_15="AL", MSH_16="AL")
    assert msa(client.ask(raw)) == ("CR", "\u0d1c1")
    assert msa(client.ask(adt(control_id="NEXT"))) == ("AA", "NEXT")


def test_utf_16_in_a_batch_is_refused_in_utf_8(client: Client) -> None:
    raw = b"\xfe\xff" + adt(codec="utf-16-be", control_id="\u0d1c1")
    answer = client.ask(b"BHS|^~\\&|EPR\r" + raw).split(b"\rMSH")
    assert msa(b"MSH" + answer[1]) == ("AR", "\u0d1c1")
    assert msa(client.ask(adt(control_id="NEXT"))) == ("AA", "NEXT")


@pytest.mark.parametrize(
    ("codec", "charset", "control_id"),
    [
        ("latin-1", "8859/1", "É1"),
        ("iso8859_5", "8859/5", "Ж1"),
        ("utf-8", "UNICODE UTF-8", "\u1c0d1"),
        ("cp1252", "8859/1", "€1"),
    ],
)
def test_an_acknowledgement_is_in_the_senders_own_characters(
    client: Client, codec: str, charset: str, control_id: str
) -> None:
    ack = client.ask(adt(codec=codec, MSH_18=charset, control_id=control_id))
    assert f"|{control_id}".encode(codec) in ack
    assert msa(ack) == ("AA", control_id)


def test_an_acknowledgement_has_the_senders_own_delimiters(client: Client) -> None:
    raw = adt(control_id="C1").replace(b"|", b"#")
    assert b"\rMSA#AA#C1" in client.ask(raw)


def test_an_answer_never_holds_a_framing_byte(client: Client) -> None:
    raw = adt(control_id="A\x1cB", MSH_3="A\\X0B\\\\X1C0D\\", MSH_4="\x1c")
    ack = client.ask(raw)
    assert not any(byte in ack for byte in b"\x0b\x1c")


def _codes(client: Client, raw: bytes, number: int) -> list[str]:
    """The codes of that many answers, and that no further one comes before the next message's."""
    client.send(framed(raw))
    codes = [msa(client.receive())[0] for _ in range(number)]
    assert msa(client.ask(adt(control_id="NEXT")))[1] == "NEXT"
    return codes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["AA"]),
        ({"MSH_15": "AL", "MSH_16": "AL"}, ["CA", "AA"]),
        ({"MSH_15": "AL"}, ["CA"]),
        ({"MSH_16": "AL"}, ["AA"]),
        ({"MSH_15": "NE", "MSH_16": "NE"}, []),
        ({"MSH_15": "ER", "MSH_16": "SU"}, ["AA"]),
        ({"MSH_15": "AL", "MSH_16": "ER", "PID_3": ""}, ["CA", "AE"]),
        ({"MSH_15": "AL", "MSH_16": "AL", "MSH_9": "ADT^A99"}, ["CR"]),
        ({"MSH_15": "SU", "MSH_16": "AL", "MSH_9": "ADT^A99"}, ["AR"]),
        ({"MSH_15": "AL", "MSH_16": "AL", "MSH_10": ""}, ["CE"]),
    ],
)
def test_enhanced_mode(
    database: Database, client: Client, changes: dict[str, str], expected: list[str]
) -> None:
    assert _codes(client, adt(**changes), len(expected)) == expected
    assert count(database) == 2, "stored, whatever was to be answered"


def test_enhanced_mode_answers_a_repeat_alike(client: Client) -> None:
    raw = adt(MSH_15="AL", MSH_16="AL")
    assert [_codes(client, raw, 2) for _ in range(2)] == [["CA", "AA"]] * 2


def test_a_listener_may_force_a_mode(desk: FrameAnswerer) -> None:
    with serving(desk.answer, mode=Mode.ORIGINAL) as running, Client(running.port) as client:
        assert _codes(client, adt(MSH_15="AL", MSH_16="AL"), 1) == ["AA"]
    with serving(desk.answer, mode=Mode.ENHANCED) as running, Client(running.port) as client:
        client.send(framed(adt()))
        assert [msa(client.receive())[0] for _ in range(2)] == ["CA", "AA"]


def test_an_application_acknowledgement_may_be_queued_in_the_transaction_of_its_message(
    database: Database,
) -> None:
    answerer = FrameAnswerer(database, lambda: INTAKE)
    with serving(answerer.answer, application_ack="delivery") as running, Client(running.port) as client:
        assert [msa(client.ask(adt(MSH_15="AL", MSH_16="AL")))[0] for _ in range(2)] == ["CA", "CA"]
        assert msa(client.ask(adt(MSH_15="AL")))[0] == "CA"
        assert msa(client.ask(adt()))[0] == "AA", "original mode has no other acknowledgement"
    with database.statements() as connection:
        together = connection.execute(text("SELECT count(DISTINCT d.xmin::text), count(*) FROM delivery d"))
        assert tuple(together.one()) == (2, 2)
        same = connection.execute(text("SELECT count(*) FROM delivery d JOIN message m ON m.xmin = d.xmin"))
        assert same.scalar_one() == 4, "each with the message it answers, and the one it is"


def test_a_batch_is_answered_as_a_batch(database: Database, client: Client) -> None:
    raws = [adt(control_id="B1"), adt("A20", control_id="B2"), b"MSH\r", adt(control_id="B4", MSH_15="NE")]
    header = b"FHS|^~\\&|EPR|RBH|||||||F1\rBHS|^~\\&|EPR|RBH|||||||BATCH1\r"
    answer = client.ask(header + b"".join(raws) + b"BTS|3\rFTS|1\r").split(b"\r")
    assert [line[:6] for line in answer if line[:3] == b"MSA"] == [b"MSA|AA", b"MSA|AR", b"MSA|AR", b"MSA|AA"]
    assert answer[0].endswith(b"|F1")
    assert answer[1].endswith(b"|BATCH1")
    assert answer[-3:] == [b"BTS|4|BTS-1 is wrong, 4 messages came", b"FTS|1", b""]
    assert count(database) == 4


def test_what_is_too_long_is_refused_and_its_head_kept(database: Database, desk: FrameAnswerer) -> None:
    with serving(desk.answer, largest_message=2000) as running, Client(running.port) as client:
        raw = adt(control_id="LONG") + b"NTE|" + b"x" * 500_000 + b"\r"
        assert msa(client.ask(raw)) == ("AR", "LONG")
        row = _row(database)
        assert (bytes(row["received"]), row["state"]) == (raw[:2000], "refused")
        assert msa(client.ask(adt()))[0] == "AA"


def test_five_megabytes_are_taken(database: Database, client: Client) -> None:
    raw = adt(more=["OBX|1|ED|PDF||" + "QUJD" * 1_200_000])
    assert msa(client.ask(raw))[0] == "AA"
    assert bytes(_row(database)["received"]) == raw


def test_a_sender_the_listener_is_not_for_is_refused_and_kept(
    database: Database, desk: FrameAnswerer
) -> None:
    with serving(desk.answer, senders=(Sender("EPIC"),)) as running, Client(running.port) as client:
        assert msa(client.ask(adt(control_id="C1"))) == ("AR", "C1")
        assert msa(client.ask(adt(MSH_3="EPIC")))[0] == "AA"
    assert count(database) == 2


def test_while_the_database_is_away_nothing_is_acknowledged() -> None:
    away = Database(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    with serving(FrameAnswerer(away, lambda: INTAKE).answer) as running, Client(running.port) as client:
        client.send(framed(adt()))
        assert client.rest() == b""


def test_a_failure_of_ours_ends_the_connection_and_nothing_else() -> None:
    memory = Memory()

    def answer(group: Sequence[ReceivedFrame]) -> Sequence[Answer | None]:
        if any(b"POISON" in taken.frame.content for taken in group):
            raise RuntimeError
        return memory.answer(group)

    with serving(answer) as running, Client(running.port) as bad, Client(running.port) as good:
        bad.send(framed(adt(family="POISON")))
        assert bad.rest() == b""
        assert msa(good.ask(adt()))[0] == "AA"


def _taken(raw: bytes, **changes: Any) -> ReceivedFrame:
    return ReceivedFrame(Frame(raw, len(raw)), listener(**changes), Door(), "test-1")


def test_a_failure_of_ours_with_one_frame_costs_the_others_nothing(database: Database) -> None:
    bad = _taken(adt(MSH_15="AL", MSH_16="AL"), application_ack="delivery")
    with _without_deliveries(database):
        answers = FrameAnswerer(database, lambda: INTAKE).answer([_taken(adt()), bad, _taken(adt())])
    assert [answer.codes if answer else None for answer in answers] == [("AA",), None, ("AA",)]
    assert count(database) == 2


@contextmanager
def _without_deliveries(database: Database) -> Iterator[None]:
    """While nothing can be queued to be delivered."""
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE delivery RENAME TO delivery_away"))
    try:
        yield
    finally:
        with database.transaction() as connection:
            connection.execute(text("ALTER TABLE delivery_away RENAME TO delivery"))


def test_acknowledgements_by_delivery_are_given_up_too_while_the_database_is_away() -> None:
    away = Away()
    group = [_taken(adt(MSH_15="AL", MSH_16="AL"), application_ack="delivery") for _ in range(64)]
    assert FrameAnswerer(away.database, lambda: INTAKE).answer(group) == [None] * 64
    assert away.tries <= 3


def test_where_no_acknowledgement_is_to_be_delivered_messages_are_kept_together(database: Database) -> None:
    group = [_taken(adt(MSH_15="AL", MSH_16="NE"), application_ack="delivery") for _ in range(3)]
    answers = FrameAnswerer(database, lambda: INTAKE).answer(group)
    assert [answer.codes if answer else None for answer in answers] == [("CA",)] * 3
    with database.statements() as connection:
        transactions = connection.execute(text("SELECT count(DISTINCT xmin::text) FROM message")).scalar_one()
    assert transactions == 1


def test_frames_that_bring_much_are_kept_in_smaller_groups(database: Database) -> None:
    seen: list[int] = []

    def transform(content: str) -> str:
        seen.append(count(database))
        return content

    desk = FrameAnswerer(database, lambda: replace(INTAKE, transform=transform))
    answers = desk.answer([_taken(many_merges()) for _ in range(12)])
    assert [answer.codes if answer else None for answer in answers] == [("AA",)] * 12
    assert max(read - stored for read, stored in enumerate(seen)) < 8


def test_a_batch_holds_up_nobody_else(database: Database, desk: FrameAnswerer) -> None:
    begun, released = threading.Event(), threading.Event()

    def answer(group: Sequence[ReceivedFrame]) -> Sequence[Answer | None]:
        if any(is_batch(taken.frame.content) for taken in group):
            begun.set()
            released.wait(30)
        return desk.answer(group)

    with serving(answer) as running, Client(running.port) as sender, Client(running.port) as honest:
        sender.send(framed(b"BHS|^~\\&|EPR\r" + adt() + b"BTS|1\r"))
        assert begun.wait(10)
        assert msa(honest.ask(adt()))[0] == "AA"
        released.set()
        assert b"\rMSA|AA|" in sender.receive()


def test_messages_that_wait_on_several_connections_are_kept_together(
    database: Database, desk: FrameAnswerer
) -> None:
    sizes: list[int] = []

    def answer(group: Sequence[ReceivedFrame]) -> Sequence[Answer | None]:
        sizes.append(len(group))
        return desk.answer(group)

    with serving(answer) as running:
        clients = [Client(running.port) for _ in range(30)]
        raws = [[adt() for _ in clients] for _ in range(5)]
        for turn in raws:
            for client, raw in zip(clients, turn, strict=True):
                client.send(framed(raw))
            for client, raw in zip(clients, turn, strict=True):
                assert msa(client.receive()) == ("AA", read(raw).control_id)
        for client in clients:
            client.close()
    assert count(database) == 150
    assert sum(sizes) == 150
    assert max(sizes) > 1


def test_streams_over_real_sockets_are_answered_in_order_however_they_are_split() -> None:
    random, memory = Random(7), Memory()
    with serving(memory.answer) as running:
        for _ in range(300):
            raws = [adt() for _ in range(random.randrange(1, 6))]
            stream = b"\r\n".join(map(framed, raws))
            cut = random.randrange(2)
            with Client(running.port) as client:
                at = random.randrange(len(stream))
                client.send(stream[:at])
                client.send(stream[at:] + (b"\x0bMSH|^~\\&|CUT" if cut else b""))
                client.socket.shutdown(socket.SHUT_WR)
                answers = client.rest().split(b"\x1c\r")[:-1]
            assert [msa(each[1:])[1] for each in answers] == [read(raw).control_id for raw in raws]


def test_the_listeners_policy_is_that_of_its_site(database: Database) -> None:
    narrow = replace(
        INTAKE, site=replace(INTAKE.site, inbound=replace(INTAKE.site.inbound, versions=frozenset({"2.5"})))
    )
    with serving(FrameAnswerer(database, lambda: narrow).answer) as running, Client(running.port) as client:
        assert [msa(client.ask(adt(version=version)))[0] for version in ("2.3", "2.5")] == ["AR", "AA"]


@pytest.mark.parametrize("at", [b"PID|", b"SMITH", b"\rPV1", b"ADT^A01"])
def test_a_frame_with_0b_in_it_is_kept_whole_and_refused_once_by_its_control_id(
    database: Database, client: Client, at: bytes
) -> None:
    raw = adt(control_id="V1", family="SMITH").replace(at, at + b"\x0b", 1)
    assert msa(client.ask(raw)) == ("AR", "V1")
    row = _row(database)
    assert (row["message_control_id"], row["error_code"], bytes(row["received"])) == ("V1", "207", raw)
    assert published(database) == []
    assert msa(client.ask(adt(control_id="V1"))) == ("AA", "V1")


def test_a_frame_that_ends_in_0b_is_kept_and_refused(database: Database, client: Client) -> None:
    raw = adt(control_id="V2") + b"\x0b"
    assert msa(client.ask(raw)) == ("AR", "V2")
    assert bytes(_row(database)["received"]) == raw


def test_a_frame_with_0b_and_no_header_is_kept_and_refused(database: Database, client: Client) -> None:
    assert msa(client.ask(b"no header\x0b, and more")) == ("AR", "")
    assert bytes(_row(database)["received"]) == b"no header\x0b, and more"


def test_of_a_batch_with_0b_in_it_one_message_is_refused(database: Database, client: Client) -> None:
    sound, broken = adt(control_id="V3"), adt(control_id="V4", family="A\x0bB")
    answer = client.ask(b"BHS|^~\\&|EPR|RBH\r" + broken + sound + b"BTS|2\r")
    codes = [line for line in answer.split(b"\r") if line.startswith(b"MSA")]
    assert [line.split(b"|")[1:3] for line in codes] == [[b"AR", b"V4"], [b"AA", b"V3"]]
    assert count(database) == 2

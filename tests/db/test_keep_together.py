"""Keeping several messages in one transaction: what each gets, and that none takes the others with it."""

import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake.keep_together import keep_together, order
from dhos_connector_api.intake.receive_batch import answer_batch, receive_batch
from dhos_connector_api.intake.receive_hl7 import Door, Intake, Receipt, Received, receive
from dhos_connector_api.messages import store
from tests.db.test_receive_hl7 import INTAKE, NARROW, REJECTING, count, published, stored
from tests.hl7_builders import adt

DOOR = Door(answers_unreadable=True)


def _received(raw: bytes, intake: Intake = INTAKE, door: Door = DOOR) -> Received:
    return receive(raw, intake, created_by="listener", correlation_id="request-1", door=door)


def _keep(database: Database, *raws: bytes, intake: Intake = INTAKE) -> list[Receipt]:
    receipts = keep_together(database, [_received(raw, intake) for raw in raws])
    assert all(receipts)
    return [receipt for receipt in receipts if receipt]


def test_each_message_is_kept_with_everything_and_published_in_order(database: Database) -> None:
    raws = [adt("A08") for _ in range(150)]
    receipts = _keep(database, *raws)
    assert [receipt.code for receipt in receipts] == [Code.AA] * 150
    assert [bytes(stored(database, each.message_uuid)["received"]) for each in receipts] == raws
    expected = [str(each.message_uuid) for each in receipts]
    assert [each["dhos_connector_message_uuid"] for each in published(database)] == expected


def test_a_group_of_everything_that_may_come(database: Database) -> None:
    good, known = adt(), adt(control_id="KNOWN")
    (first,) = _keep(database, known)
    changed = adt(control_id="KNOWN", family="OTHER")
    refused = adt("A20")
    found = _keep(database, good, good, known, changed, refused, refused, b"no message", adt(MSH_10=""))
    assert [receipt.code for receipt in found] == ["AA", "AA", "AA", "AR", "AR", "AR", None, "AE"]
    assert [receipt.repeat for receipt in found] == [
        *(None, "replay", "replay", "conflict"),
        *(None, None, None, None),
    ]
    assert found[1].message_uuid == found[0].message_uuid
    assert found[2].message_uuid == first.message_uuid
    assert all(receipt.ack for receipt in found)
    assert len(published(database)) == 2
    assert count(database) == 7


def test_under_reject_a_repeat_in_the_same_group_is_a_row_of_its_own(database: Database) -> None:
    raw = adt()
    first, second = _keep(database, raw, raw, intake=REJECTING)
    assert (first.code, second.code, second.repeat) == (Code.AA, Code.AR, "reject")
    assert count(database) == 2


def test_what_was_accepted_stays_acknowledged_in_a_group_too(database: Database) -> None:
    raw = adt()
    (first,) = _keep(database, raw)
    repeated, other = _keep(database, raw, adt(), intake=NARROW)
    assert (repeated.code, repeated.ack) == (Code.AA, first.ack)
    assert other.code is Code.AR


@pytest.mark.parametrize("change", [{"state": None}, {"content": "\x00"}])
def test_a_message_the_database_refuses_does_not_take_the_others_with_it(
    database: Database, change: dict[str, Any]
) -> None:
    bad = _received(adt())
    bad = replace(bad, row=replace(bad.row, **change))
    group = [_received(adt()), bad, _received(adt()), _received(adt())]
    receipts = keep_together(database, group)
    assert [receipt.code if receipt else None for receipt in receipts] == ["AA", None, "AA", "AA"]
    assert count(database) == 3
    assert len(published(database)) == 3


@pytest.mark.parametrize("number", [1, 2, 100])
def test_nothing_is_acknowledged_while_the_database_is_away(number: int) -> None:
    away = Database(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    before = clock.monotonic()
    assert keep_together(away, [_received(adt()) for _ in range(number)]) == [None] * number
    assert clock.monotonic() - before < 30, "it gives up soon"


@pytest.mark.parametrize("intake", [INTAKE, REJECTING])
def test_an_answer_that_was_lost_after_the_commit_is_found_again(database: Database, intake: Intake) -> None:
    received = _received(adt(), intake)
    (first,) = keep_together(database, [received])
    again, _ = keep_together(database, [received, _received(adt(), intake)])
    assert again == first
    assert count(database) == 2


def _of_one_connection(database: Database) -> Database:
    return Database(
        create_engine(database.engine.url, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT")
    )


def test_a_group_that_failed_leaves_no_transaction_open(database: Database) -> None:
    own = _of_one_connection(database)
    pair = [(received.row, received.effects) for received in (_received(adt()), _received(adt()))]
    refused = replace(pair[1][0], content="\x00")
    with pytest.raises(psycopg.DataError):
        store.insert_all(own, [pair[0], (refused, pair[1][1])], window=INTAKE.duplicate_window)
    with own.statements() as connection:
        driven = connection.connection.driver_connection
        assert isinstance(driven, psycopg.Connection)
        assert driven.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
    assert count(database) == 0
    own.engine.dispose()


def test_a_lost_connection_is_replaced_by_the_next_group(database: Database) -> None:
    own = _of_one_connection(database)
    with own.statements() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    assert all(keep_together(own, [_received(adt()), _received(adt())]))
    with database.statements() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    keep_together(own, [_received(adt()), _received(adt())])
    assert all(keep_together(own, [_received(adt()), _received(adt())]))
    own.engine.dispose()


def test_groups_with_the_same_keys_in_any_order_never_wait_in_a_circle(database: Database) -> None:
    raws = [adt() for _ in range(40)]
    results: list[list[Receipt | None]] = []

    def run(messages: list[bytes]) -> None:
        results.append(keep_together(database, sorted((_received(raw) for raw in messages), key=order)))

    threads = [threading.Thread(target=run, args=(raws[start:] + raws[:start],)) for start in range(0, 40, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(receipt is not None and receipt.code is Code.AA for each in results for receipt in each)
    assert count(database) == 40


def test_a_door_may_object_before_the_rules(database: Database) -> None:
    def objects(message: Message) -> Verdict | None:
        return rules.DUPLICATE if message.control_id == "NOT-HERE" else None

    door = Door(objects=objects)
    receipts = keep_together(
        database, [_received(adt(control_id="NOT-HERE"), door=door), _received(adt(), door=door)]
    )
    assert [receipt.code if receipt else None for receipt in receipts] == ["AR", "AA"]


def _batch(*messages: bytes, count_of: int | None = None) -> bytes:
    trailer = f"BTS|{len(messages) if count_of is None else count_of}\r".encode()
    return b"FHS|^~\\&|EPR\rBHS|^~\\&|EPR|RBH|||||||B1\r" + b"".join(messages) + trailer + b"FTS|1\r"


def _receive_batch(database: Database, raw: bytes) -> list[Any]:
    received = receive_batch(raw, INTAKE, created_by="listener", correlation_id="request-1", door=DOOR)
    assert received is not None
    receipts = keep_together(database, received.messages)
    return answer_batch(received, [receipt for receipt in receipts if receipt]).split(b"\r")


def test_a_broken_message_in_a_batch_does_not_stop_the_others(database: Database) -> None:
    first, last = adt(control_id="ONE"), adt(control_id="FOUR")
    lines = _receive_batch(
        database, _batch(first, adt("A20", control_id="TWO"), b"MSH\rEVN|\r", last, count_of=5)
    )
    assert [line for line in lines if line[:3] == b"MSA"] == [
        b"MSA|AA|ONE",
        b"MSA|AR|TWO|This trigger event is not accepted here.",
        b"MSA|AR||No MSH segment can be read.",
        b"MSA|AA|FOUR",
    ]
    assert lines[-3:] == [b"BTS|4|BTS-1 is wrong, 4 messages came", b"FTS|1", b""]
    assert count(database) == 4
    assert len(published(database)) == 2


def test_a_batch_sent_again_gets_the_same_acknowledgements(database: Database) -> None:
    raw = _batch(adt(), adt(), adt())
    first, second = _receive_batch(database, raw), _receive_batch(database, raw)
    assert [line for line in first if line[:2] == b"MS"] == [line for line in second if line[:2] == b"MS"]
    assert count(database) == 3


def test_a_batch_of_more_messages_than_we_take_is_not_taken_apart() -> None:
    raw = _batch(*[b"MSH|\r"] * 10_001)
    assert receive_batch(raw, INTAKE, created_by=None, correlation_id="", door=DOOR) is None


def test_the_answer_names_the_batch(database: Database) -> None:
    lines = _receive_batch(database, _batch(adt()))
    assert lines[1].split(b"|")[11] == b"B1"
    assert read(b"\r".join(lines[2:4])).first("MSA") is not None

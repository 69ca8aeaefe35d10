"""Keeping several messages in one transaction: what each gets, and that none takes the others with it."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, text

from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake import together
from dhos_connector_api.intake.arrival import Door, Intake, Outcome, Receipt
from dhos_connector_api.intake.batch import answer_batch, take_apart, take_batch
from dhos_connector_api.intake.door_names import DoorName, Way
from dhos_connector_api.intake.hl7_read import Hl7Read
from dhos_connector_api.intake.hl7_read import read as read_hl7
from dhos_connector_api.intake.take import AfterCommit, Effect
from dhos_connector_api.intake.together import Patience, take_together
from dhos_connector_api.log import correlation_id
from dhos_connector_api.messages import store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Claim, ClaimedSender, Inbound, Site
from tests.builders.his import INTAKE as HIS_INTAKE
from tests.builders.his import payload, raw_of, webhook
from tests.builders.hl7 import adt, many_merges
from tests.builders.intake import INTAKE, NARROW, REJECTING, an_arrival
from tests.rigs.outages import Away
from tests.rigs.stored import count, published, stored

DOOR = Door(answers_unreadable=True)


def _received(raw: bytes, intake: Intake = INTAKE, door: Door = DOOR) -> Hl7Read:
    return read_hl7(an_arrival(raw, door=door), intake)


def keep_together(
    database: Database, reads: Sequence[Hl7Read], patience: Patience | None = None
) -> list[Receipt | None]:
    groups = together.keep_together(reads, database, patience or Patience())
    return [taken.receipt for group in groups for taken in group]


def _keep(database: Database, *raws: bytes, intake: Intake = INTAKE) -> list[Receipt]:
    arrivals = [an_arrival(raw, door=DOOR) for raw in raws]
    found = list(take_together(arrivals, intake, database, in_order=True))
    assert [taken.read.arrival.raw for taken in found] == list(raws)
    assert all(taken.receipt for taken in found)
    return [taken.receipt for taken in found if taken.receipt]


def test_each_message_is_kept_with_everything_and_published_in_order(database: Database) -> None:
    raws = [adt("A08") for _ in range(150)]
    receipts = _keep(database, *raws)
    assert [receipt.answer.code for receipt in receipts] == [Code.AA] * 150
    assert [bytes(stored(database, each.uuid)["received"]) for each in receipts] == raws
    expected = [str(each.uuid) for each in receipts]
    assert [each["dhos_connector_message_uuid"] for each in published(database)] == expected


def test_a_group_of_everything_that_may_come(database: Database) -> None:
    good, known = adt(), adt(control_id="KNOWN")
    (first,) = _keep(database, known)
    changed = adt(control_id="KNOWN", family="OTHER")
    refused = adt("A20")
    found = _keep(database, good, good, known, changed, refused, refused, b"no message", adt(MSH_10=""))
    assert [receipt.answer.code for receipt in found] == ["AA", "AA", "AA", "AR", "AR", "AR", None, "AE"]
    assert [receipt.outcome for receipt in found] == [
        *("accepted", "repeated", "repeated", "conflict"),
        *("refused", "refused", "unparseable", "refused"),
    ]
    assert found[1].uuid == found[0].uuid
    assert found[2].uuid == first.uuid
    assert all(receipt.answer.content for receipt in found)
    assert len(published(database)) == 2
    assert count(database) == 7


def test_under_reject_a_repeat_in_the_same_group_is_a_row_of_its_own(database: Database) -> None:
    raw = adt()
    first, second = _keep(database, raw, raw, intake=REJECTING)
    assert (first.answer.code, second.answer.code) == (Code.AA, Code.AR)
    assert second.outcome is Outcome.REPEAT_REFUSED
    assert count(database) == 2


def test_what_was_accepted_stays_acknowledged_in_a_group_too(database: Database) -> None:
    raw = adt()
    (first,) = _keep(database, raw)
    repeated, other = _keep(database, raw, adt(), intake=NARROW)
    assert (repeated.answer.code, repeated.answer.content) == (Code.AA, first.answer.content)
    assert other.answer.code is Code.AR


@pytest.mark.parametrize("change", [{"state": None}, {"content": "\x00"}])
def test_a_message_the_database_refuses_does_not_take_the_others_with_it(
    database: Database, change: dict[str, Any]
) -> None:
    bad = _received(adt())
    bad = replace(bad, row=replace(bad.row, **change))
    group = [_received(adt()), bad, _received(adt()), _received(adt())]
    receipts = keep_together(database, group)
    assert [receipt.answer.code if receipt else None for receipt in receipts] == ["AA", None, "AA", "AA"]
    assert count(database) == 3
    assert len(published(database)) == 3


def test_refused_messages_side_by_side_do_not_take_the_others_with_them(database: Database) -> None:
    bad = [replace(one, row=replace(one.row, content="\x00")) for one in (_received(adt()) for _ in range(4))]
    group = [_received(adt()), *bad, *(_received(adt()) for _ in range(20))]
    receipts = keep_together(database, group)
    assert [receipt is None for receipt in receipts] == [False, *[True] * 4, *[False] * 20]


def test_keys_that_somebody_holds_do_not_keep_the_others_back(database: Database) -> None:
    held = [_received(adt()) for _ in range(3)]
    impatient = engine_options(pool_size=1, lock_timeout=0.2)
    own = Database(create_engine(database.engine.url, **impatient))
    with database.transaction() as frozen:
        for one in held:
            store.insert(frozen, one.row, one.effects, window=INTAKE.duplicate_window)
        again = [_received(one.row.received) for one in held]
        receipts = keep_together(own, [*again, *(_received(adt()) for _ in range(10))])
    assert [receipt is None for receipt in receipts] == [*[True] * 3, *[False] * 10]
    own.engine.dispose()


@pytest.mark.parametrize("number", [1, 2, 640])
def test_nothing_is_acknowledged_while_the_database_is_away_and_it_gives_up_soon(number: int) -> None:
    away = Away()
    assert keep_together(away.database, [_received(adt()) for _ in range(number)]) == [None] * number
    assert away.tries <= 3


def test_when_failures_took_too_long_the_rest_is_given_up(database: Database) -> None:
    held, others = _received(adt()), [_received(adt()) for _ in range(3)]
    own = Database(create_engine(database.engine.url, **engine_options(pool_size=1, lock_timeout=0.2)))
    with database.transaction() as frozen:
        store.insert(frozen, held.row, held.effects, window=INTAKE.duplicate_window)
        again = _received(held.row.received)
        assert keep_together(own, [again, *others], Patience(seconds=0.1)) == [None] * 4
    assert all(keep_together(own, [again, *others], Patience(seconds=0.1)))
    own.engine.dispose()


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
        results.append(keep_together(database, [_received(raw) for raw in messages]))

    threads = [threading.Thread(target=run, args=(raws[start:] + raws[:start],)) for start in range(0, 40, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(receipt is not None and receipt.answer.code is Code.AA for each in results for receipt in each)
    assert count(database) == 40


def test_a_door_may_object_before_the_rules(database: Database) -> None:
    def objects(message: Message) -> Verdict | None:
        return rules.DUPLICATE if message.control_id == "NOT-HERE" else None

    door = Door(objects=objects)
    receipts = keep_together(
        database, [_received(adt(control_id="NOT-HERE"), door=door), _received(adt(), door=door)]
    )
    assert [receipt.answer.code if receipt else None for receipt in receipts] == ["AR", "AA"]


def _batch(*messages: bytes, count_of: int | None = None) -> bytes:
    trailer = f"BTS|{len(messages) if count_of is None else count_of}\r".encode()
    return b"FHS|^~\\&|EPR\rBHS|^~\\&|EPR|RBH|||||||B1\r" + b"".join(messages) + trailer + b"FTS|1\r"


def _receive_batch(database: Database, raw: bytes) -> list[bytes]:
    file = take_apart(raw)
    assert file is not None
    receipts = take_batch(file, INTAKE, database, caller="listener", correlation_id="request-1", door=DOOR)
    assert receipts is not None
    return answer_batch(file, receipts).split(b"\r")


def test_a_broken_message_in_a_batch_does_not_stop_the_others(database: Database) -> None:
    first, last = adt(control_id="ONE"), adt(control_id="FOUR")
    lines = _receive_batch(
        database, _batch(first, adt("A20", control_id="TWO"), b"MSH\rEVN|\r", last, count_of=5)
    )
    assert [line for line in lines if line[:3] == b"MSA"] == [
        b"MSA|AA|ONE",
        b"MSA|AR|TWO|This trigger event is not accepted here (site file, inbound.accepted).",
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
    assert take_apart(raw) is None


def _read_and_kept(database: Database, raw: bytes) -> list[int]:
    """How many messages of a batch were stored when each was read."""
    seen: list[int] = []

    def transform(content: str) -> str:
        seen.append(count(database))
        return content

    file = take_apart(raw)
    assert file is not None
    watched = replace(INTAKE, transform=transform)
    assert take_batch(file, watched, database, caller=None, correlation_id="request-1", door=DOOR)
    return seen


def test_no_more_of_a_batch_is_in_memory_than_is_kept_together(database: Database) -> None:
    seen = _read_and_kept(database, _batch(*[adt() for _ in range(150)]))
    assert seen == [0] * 64 + [64] * 64 + [128] * 22


def test_messages_that_bring_much_are_kept_in_smaller_groups(database: Database) -> None:
    seen = _read_and_kept(database, _batch(*[many_merges() for _ in range(12)]))
    assert max(read - stored for read, stored in enumerate(seen)) < 8


def test_the_answer_names_the_batch(database: Database) -> None:
    lines = _receive_batch(database, _batch(adt()))
    assert lines[1].split(b"|")[11] == b"B1"
    assert read(b"\r".join(lines[2:4])).first("MSA") is not None


def _also(database: Database, failing: str = "") -> tuple[list[str], Any]:
    """Effects for every message with MSH-16; what each has done, in order."""
    done: list[str] = []

    def also(read: Hl7Read) -> Effect | None:
        assert read.message is not None
        control_id = read.message.control_id
        if not read.message.msh.value(16):
            return None

        def effect(connection: Connection, receipt: Receipt) -> AfterCommit:
            here = connection.execute(
                text("SELECT count(*) FROM message WHERE uuid = :u"), {"u": receipt.uuid}
            )
            assert here.scalar_one() == 1, "in the transaction that keeps it"
            done.append(f"{control_id} kept by {count(database)} others")
            if control_id == failing:
                raise RuntimeError
            return lambda: done.append(f"{control_id} committed")

        return effect

    return done, also


def test_an_effect_stands_in_the_transaction_of_its_message(database: Database) -> None:
    done, also = _also(database)
    raws = [adt(control_id="C1"), adt(control_id="C2", MSH_16="AL"), adt(control_id="C3")]
    found = list(take_together(map(an_arrival, raws), INTAKE, database, also=also))
    assert [taken.receipt is not None for taken in found] == [True] * 3
    assert done == ["C2 kept by 2 others", "C2 committed"]


def test_an_effect_that_fails_costs_its_own_message_and_no_other(database: Database) -> None:
    done, also = _also(database, failing="C2")
    raws = [adt(control_id="C1"), adt(control_id="C2", MSH_16="AL"), adt(control_id="C3", MSH_16="AL")]
    found = list(take_together(map(an_arrival, raws), INTAKE, database, also=also))
    assert [taken.receipt is not None for taken in found] == [True, False, True]
    assert done[-1] == "C3 committed"
    assert count(database) == 2


def test_each_log_line_has_the_id_of_its_own_request(database: Database) -> None:
    seen: dict[str, str] = {}

    class Ids(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "message received":
                seen[vars(record)["message_uuid"]] = correlation_id.get()

    handler, root = Ids(), logging.getLogger("dhos_connector_api.intake.counting")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        arrivals = [an_arrival(adt(), correlation_id=f"request-{number}") for number in range(3)]
        found = list(take_together(arrivals, INTAKE, database))
    finally:
        root.removeHandler(handler)
        root.setLevel(logging.NOTSET)
    assert seen == {str(each.read.uuid): f"request-{number}" for number, each in enumerate(found)}


class AnswerLost(Database):
    """A database that commits the first group, and loses the connection before it says so."""

    lost = False

    @contextmanager
    def pipeline(self) -> Iterator[Any]:
        with super().pipeline() as wire:
            yield wire
        if not self.lost:
            self.lost = True
            raise StorageUnavailable("the answer was lost")


def test_messages_whose_answer_was_lost_after_the_commit_are_answered_and_kept_once(
    database: Database,
) -> None:
    raws = [
        adt(control_id="C1"),
        adt(MSH_10=""),
        b"no message",
        adt("A20", control_id="C4"),
        adt(control_id="C5", MSH_3="CLAIMED"),
    ]
    claim = Claim((ClaimedSender("CLAIMED"),), listener="another")
    intake = replace(INTAKE, site=Site(inbound=Inbound(claims=(claim,))))
    door = replace(DOOR, name=DoorName(Way.MLLP, "epr"))
    lost = AnswerLost(database.engine)
    found = list(take_together([an_arrival(raw, door=door) for raw in raws], intake, lost))
    codes = [taken.receipt.answer.code if taken.receipt else "not stored" for taken in found]
    assert codes == ["AA", "AE", None, "AR", "AR"]
    assert count(database) == 5
    assert len(published(database)) == 1


def test_kinds_that_are_not_kept_together_are_taken_one_by_one(database: Database) -> None:
    arrivals = [
        an_arrival(adt()),
        an_arrival(raw_of(payload()), Kind.HIS),
        an_arrival(raw_of(webhook()), Kind.WEBHOOK, door=Door(source="his")),
        an_arrival(adt()),
    ]
    found = list(take_together(arrivals, HIS_INTAKE, database))
    assert [taken.receipt.outcome if taken.receipt else None for taken in found] == ["accepted"] * 4

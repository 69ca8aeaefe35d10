"""The consuming processes on a real RabbitMQ: killed, without database, and with what nobody can apply."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pika
import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.app import consuming
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.inbox import parking
from dhos_connector_api.px.organizations.on_event import CONSUMER
from dhos_connector_api.stopping import Stop
from dhos_connector_api.workers.consume import ConsumeWorker
from tests.builders.feed import Happening, expected, invented
from tests.builders.rows import settings
from tests.rigs.feed_ledger import patients, reader, shuffled
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Process, environment, rabbitmq
from tests.rigs.waiting import eventually

#: The consumer whose work is looked at here: that of patients.
_PATIENTS = f"consumer = '{CONSUMER}'"


@contextmanager
def _worker(database: Database, broker: BrokerAddress) -> Iterator[ConsumeWorker]:
    """A consumer in this process, whose queue is there."""
    queue = consuming.queue(settings(**rabbitmq(broker)))
    worker = ConsumeWorker(queue, [reader(database)], Stop())
    try:
        worker.step()
        yield worker
    finally:
        worker.close()


def _publish(broker: BrokerAddress, envelopes: Sequence[Envelope]) -> None:
    publisher = Publisher(broker, name="test", keep_waiting=lambda: True)
    try:
        eventually(publisher.ready)
        for start in range(0, len(envelopes), 500):
            outcomes = publisher.publish(envelopes[start : start + 500])
            assert set(outcomes) == {Outcome.CONFIRMED}
    finally:
        publisher.close()


def _left(broker: BrokerAddress) -> int:
    """Envelopes that are in the queue, taken or not."""
    connection = pika.BlockingConnection(broker.parameters("test"))
    try:
        declared = connection.channel().queue_declare(consuming.QUEUE, passive=True)
        return int(declared.method.message_count)
    finally:
        connection.close()


def _is_drained(broker: BrokerAddress, database: Database, envelopes: int) -> bool:
    with database.statements() as connection:
        applied = connection.execute(text(f"SELECT count(*) FROM inbox WHERE {_PATIENTS}")).scalar_one()
    return applied == envelopes and _left(broker) == 0


def test_the_queue_keeps_what_comes_and_gives_it_until_it_is_applied(
    database: Database, shared_rabbitmq: BrokerAddress
) -> None:
    random = Random(2)
    happenings = invented(random, 150, 12)
    with _worker(database, shared_rabbitmq):
        pass
    _publish(shared_rabbitmq, shuffled(random, [each.envelope() for each in happenings]))
    with _worker(database, shared_rabbitmq) as worker:
        while worker.step():
            pass
        assert worker.in_hand == 0
    assert _is_drained(shared_rabbitmq, database, 150)
    assert patients(database) == expected(happenings)


def test_what_cannot_be_read_or_applied_is_parked_and_holds_up_nobody(
    database: Database, shared_rabbitmq: BrokerAddress
) -> None:
    good = [Happening(f"M{number}", name=("Ann", "Lee")) for number in range(20)]
    poison = Happening("M1", name=("Ann", "Lee")).envelope()
    poison = replace(poison, body=poison.body.replace(b'"occurred_at": "2', b'"occurred_at": "x'))
    no_json = replace(Happening("M2").envelope(), body=b"\xff no json")
    envelopes = [each.envelope() for each in good]
    with _worker(database, shared_rabbitmq) as worker:
        _publish(shared_rabbitmq, [poison, *envelopes[:10], no_json, *envelopes[10:]])
        while worker.step():
            pass
        assert _left(shared_rabbitmq) == 0
    assert patients(database) == expected(good)
    with database.statements() as connection:
        found = {row["message_id"]: row for row in parking.listed(connection, 10)}
    assert set(found) == {poison.id, no_json.id}
    assert (found[no_json.id]["error"], found[no_json.id]["next_at"]) == ("no JSON", None)
    assert found[poison.id]["error"].startswith("ValueError at ")
    assert found[poison.id]["next_at"] is not None


def _database(address: DatabaseAddress) -> Database:
    return Database(create_engine(address.url(), **engine_options(pool_size=2)))


def _consumer(environ: dict[str, str], folder: Path, number: int) -> Process:
    return Process(["dhos_connector_api", "consume"], environ, folder / f"consume-{number}.log")


@pytest.mark.slow
def test_ten_thousand_shuffled_and_copied_while_consumers_are_killed_twenty_times(
    own_database: DatabaseAddress, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    random = Random(3)
    happenings = invented(random, 10_000, 800)
    environ = environment(own_database, **rabbitmq(own_vhost))
    database = _database(own_database)
    with _worker(database, own_vhost):
        pass
    _publish(own_vhost, shuffled(random, [each.envelope() for each in happenings]))
    copies = eventually(lambda: _left(own_vhost))
    assert copies > 15_000
    for number in range(1, 21):
        goal = number * 450  # so many are applied before the next one is killed
        with _consumer(environ, tmp_path, 0) as one, _consumer(environ, tmp_path, 1) as two:
            eventually(lambda goal=goal: _applied(database) >= goal, seconds=60)  # type: ignore[misc]
            one.kill()
            two.kill()
    assert _applied(database) < 10_000, "killed in the middle of it"
    with ExitStack() as running:
        for number in range(2):
            running.enter_context(_consumer(environ, tmp_path, number))
        eventually(lambda: _is_drained(own_vhost, database, 10_000), seconds=180)
    assert patients(database) == expected(happenings)
    with database.statements() as connection:
        assert parking.counts(connection) == []
    database.engine.dispose()


def _applied(database: Database) -> int:
    with database.statements() as connection:
        count: int = connection.execute(text(f"SELECT count(*) FROM inbox WHERE {_PATIENTS}")).scalar_one()
    return count


@pytest.mark.slow
def test_while_the_database_is_away_envelopes_wait_and_none_is_parked(
    own_postgres: OwnPostgres, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    random = Random(4)
    happenings = invented(random, 600, 60)
    database = _database(own_postgres.address)
    with _worker(database, own_vhost):
        pass
    envelopes = [each.envelope() for each in happenings]
    with _consumer(environment(own_postgres.address, **rabbitmq(own_vhost)), tmp_path, 0):
        _publish(own_vhost, envelopes[:300])
        own_postgres.kill()
        _publish(own_vhost, envelopes[300:])
        own_postgres.start()
        eventually(lambda: _is_drained(own_vhost, database, 600), seconds=120)
    assert patients(database) == expected(happenings)
    with database.statements() as connection:
        assert parking.counts(connection) == []
    database.engine.dispose()

"""Relay processes against real PostgreSQL and RabbitMQ, killed and cut off in every way."""

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.consumer import Consumer, Delivery
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.outbox import search
from tests.builders.outbox import put, put_crowd
from tests.rigs.processes import Process
from tests.rigs.rabbitmq import OwnRabbitMQ
from tests.rigs.relay_process import environment
from tests.rigs.waiting import eventually, throughout

pytest_plugins = ["tests.rigs.broker_fixtures"]
pytestmark = pytest.mark.slow


#: Other workers have relays of the same names in databases of their own.
_HERE = "FROM pg_stat_activity WHERE datname = current_database()"


class Relays:
    """Starts relay processes against one broker and one database."""

    def __init__(self, database: Database, address: DatabaseAddress, folder: Path) -> None:
        self._database = database
        self._address = address
        self._folder = folder
        self._started: list[Process] = []

    def start(self, broker: BrokerAddress, name: str = "relay", **more: str) -> Process:
        """A relay that has its session. `name` shows in pg_stat_activity, a killed one's for a moment too."""
        eventually(lambda: not self.sessions(name))
        environ = environment(self._address, broker, name, **more)
        process = Process(["tests.rigs.relay_process"], environ, self._folder / f"{name}.log")
        self._started.append(process)
        eventually(lambda: self.sessions(name) or process.popen.poll() is not None)
        return process

    def sessions(self, name: str) -> int:
        with self._database.statements() as connection:
            found = connection.execute(
                text(f"SELECT count(*) {_HERE} AND application_name = :name"), {"name": name}
            )
            return int(found.scalar_one())

    def active(self) -> str | None:
        """The name of the relay that holds the lease."""
        with self._database.statements() as connection:
            found = connection.execute(
                text(
                    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
                    " WHERE locktype = 'advisory' AND granted AND application_name LIKE 'relay%'"
                    " AND datname = current_database()"
                )
            )
            name: str | None = found.scalar_one_or_none()
            return name

    def close(self) -> None:
        for process in self._started:
            process.__exit__(None, None, None)


@pytest.fixture
def relays(database: Database, address: DatabaseAddress, tmp_path: Path) -> Iterator[Relays]:
    made = Relays(database, address, tmp_path)
    yield made
    made.close()


def _put(database: Database, count: int = 1, sender: str = "EPR", **more: str) -> list[UUID]:
    with database.transaction() as connection:
        return put(connection, count, sender=sender, **more)  # type: ignore[arg-type]


def _depth(database: Database) -> tuple[int, int]:
    with database.statements() as connection:
        depths = search.depth_and_age(connection)
    return sum(depth.waiting for depth in depths), sum(depth.dead for depth in depths)


def _drained(database: Database) -> bool:
    return _depth(database)[0] == 0


def _take(consumer: Consumer) -> list[Delivery]:
    """Everything in the queue by now, acknowledged."""
    taken = []
    while (delivery := consumer.receive(0.5)) is not None:
        consumer.acknowledge(delivery)
        taken.append(delivery)
    return taken


def _ids(deliveries: list[Delivery]) -> list[UUID]:
    return [UUID(delivery.message_id) for delivery in deliveries]


def test_two_relays_publish_nothing_twice_and_one_takes_over_from_a_dead_one(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY], prefetch=1000)
    both = {name: relays.start(shared_rabbitmq, name) for name in ("relay-1", "relay-2")}
    ids = [id_ for _ in range(20) for id_ in _put(database, 50)]
    eventually(lambda: _drained(database))
    assert _ids(_take(consumer)) == ids

    first = eventually(lambda: relays.active() or "")
    both[first].kill()
    more = _put(database, 5)
    eventually(lambda: _drained(database), seconds=5)
    assert relays.active() not in (None, first)
    assert _ids(_take(consumer)) == more
    consumer.close()


def test_an_unbound_key_waits_visibly_holds_up_no_other_and_goes_out_once_bound(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    patients = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    relays.start(shared_rabbitmq)
    waiting = _put(database, 3, routing_key=EVENT_ROUTING_KEY)
    sent = _put(database, 3)
    eventually(lambda: _depth(database) == (3, 0))
    assert _ids(_take(patients)) == sent
    with database.statements() as connection:
        row = search.unpublished(connection, dead=False, limit=1)[0]
    assert row["id"] == waiting[0]
    assert row["attempts"] >= 1
    assert "unroutable" in row["last_error"]
    events = Consumer(shared_rabbitmq, "events", [EVENT_ROUTING_KEY])
    eventually(lambda: _drained(database), seconds=40)
    assert _ids(_take(events)) == waiting
    patients.close()
    events.close()


def test_a_relay_that_dies_between_confirm_and_settling_loses_nothing(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    ids = _put(database, 10)
    dead = relays.start(shared_rabbitmq, "relay-dying", RELAY_DIES="after-confirm")
    assert dead.popen.wait(20) == -signal.SIGKILL
    assert _depth(database) == (10, 0)
    relays.start(shared_rabbitmq)
    eventually(lambda: _drained(database))
    assert _ids(_take(consumer)) == ids + ids
    consumer.close()


def test_a_relay_that_dies_between_publish_and_confirm_loses_nothing(
    database: Database, relays: Relays, own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress
) -> None:
    """A broker short of memory takes the bytes and confirms nothing."""
    consumer = Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY])
    relay = relays.start(own_vhost, "relay-dying")
    own_rabbitmq.control("set_vm_memory_high_watermark", "0.000001")
    try:
        ids = _put(database, 5)
        eventually(lambda: "connection.blocked" in relay.output.read_text())
        throughout(lambda: _depth(database) == (5, 0), seconds=0.5)
        relay.kill()
        relays.start(own_vhost)
        throughout(lambda: _depth(database) == (5, 0), seconds=0.5)
    finally:
        own_rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    eventually(lambda: _drained(database))
    seen = _ids(_take(consumer))
    assert list(dict.fromkeys(seen)) == ids
    assert 5 <= len(seen) <= 10
    consumer.close()


def test_per_sender_order_holds_whatever_is_killed(
    database: Database, relays: Relays, own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress
) -> None:
    Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY]).close()
    senders = ("EPR", "LAB", "PAS")
    ids: dict[str, list[UUID]] = {sender: [] for sender in senders}

    def feed() -> None:
        for _ in range(10):
            for sender in senders:
                ids[sender] += _put(database, 40, sender)

    first = relays.start(own_vhost, "relay-1")
    feed()
    first.kill()
    second = relays.start(own_vhost, "relay-2")
    feed()
    own_rabbitmq.kill()
    feed()
    own_rabbitmq.start()
    feed()
    own_rabbitmq.stop()
    second.kill()
    own_rabbitmq.start()
    relays.start(own_vhost, "relay-3")
    eventually(lambda: _drained(database), seconds=60)
    consumer = Consumer(own_vhost, "patients", [], prefetch=1000)
    seen = list(dict.fromkeys(_ids(_take(consumer))))
    for sender in senders:
        mine = set(ids[sender])
        assert [id_ for id_ in seen if id_ in mine] == ids[sender]
    assert len(seen) == sum(len(each) for each in ids.values())
    consumer.close()


def test_a_relay_whose_session_is_ended_goes_on_with_a_new_one(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    relay = relays.start(shared_rabbitmq)
    eventually(relays.active)
    with database.transaction() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {_HERE} AND application_name = 'relay'"))
    ids = _put(database, 3)
    eventually(lambda: _drained(database))
    assert _ids(_take(consumer)) == ids
    assert "lost its database session" in relay.output.read_text()
    consumer.close()


def test_a_row_that_can_never_be_published_is_marked_dead_and_stops_nothing(
    database: Database, relays: Relays, own_vhost: BrokerAddress
) -> None:
    consumer = Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY])
    before = _put(database, 3)
    unencodable = _put(database, 1, correlation_id="CANARY" * 100)
    with database.transaction() as connection:
        too_large = put(connection, 1, size=1_100_000)
    after = _put(database, 3)
    relay = relays.start(own_vhost)
    eventually(lambda: _depth(database) == (0, 2))
    assert _ids(_take(consumer)) == before + after, "nobody beside it is published twice"
    with database.statements() as connection:
        dead = search.unpublished(connection, dead=True, limit=9)
    assert [row["id"] for row in dead] == unencodable + too_large
    assert "CANARY" not in relay.output.read_text() + json.dumps([row["last_error"] for row in dead])
    consumer.close()


def test_sigterm_ends_a_relay_in_good_order_even_while_the_broker_is_away(
    relays: Relays, own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress
) -> None:
    relay = relays.start(own_vhost)
    eventually(relays.active)
    assert relay.stop() == 0
    assert relays.active() is None
    own_rabbitmq.kill()
    relay = relays.start(own_vhost)
    eventually(lambda: "cannot be used" in relay.output.read_text())
    assert relay.stop() == 0


def test_an_admission_goes_out_at_once_beside_many_senders_with_an_unroutable_key(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    senders = 10_000
    patients = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    with database.transaction() as connection:
        put_crowd(connection, senders)
    relays.start(shared_rabbitmq)
    eventually(lambda: _tried(database) > 0)
    for number in range(12):
        admission = _put(database, 1, f"EPR{number}")
        began = time.monotonic()
        delivery = patients.receive(20)
        assert delivery is not None
        assert time.monotonic() - began < 5, "0.13 s at most, but this machine may be busy"
        assert _ids([delivery]) == admission
        patients.acknowledge(delivery)
    eventually(lambda: _depth(database) == (senders, 0))
    patients.close()


def _tried(database: Database) -> int:
    with database.statements() as connection:
        return int(connection.execute(text("SELECT coalesce(max(attempts), 0) FROM outbox")).scalar_one())


def test_a_full_queue_gives_the_others_of_its_key_few_copies_more(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    patients = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY], prefetch=1000)
    full = {"x-max-length": 2, "x-overflow": "reject-publish"}
    small = Consumer(shared_rabbitmq, "small", [LEGACY_ROUTING_KEY], arguments=full)
    mine, theirs = _put(database, 6, "EPR"), _put(database, 6, "LAB")
    relays.start(shared_rabbitmq)
    eventually(lambda: _tried(database) >= 2)
    throughout(lambda: _tried(database) == 2, seconds=3)
    copies = Counter(_ids(_take(patients)))
    assert set(copies) == {*mine, *theirs}
    assert max(copies.values()) <= 2

    taken = []

    def is_drained() -> bool:
        taken.extend(_ids(_take(small)))
        return _drained(database)

    _put(database, 1, "NEW")  # shows that there is room again
    eventually(is_drained)
    for ids in (mine, theirs):
        assert [id_ for id_ in dict.fromkeys(taken) if id_ in ids] == ids
    copies.update(_ids(_take(patients)))
    assert max(copies[id_] for id_ in (*mine, *theirs)) <= 3
    small.close()
    patients.close()


def test_while_nothing_can_be_written_each_envelope_is_published_once(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    """The database turns read-only between confirm and settling, for relays that are there and new ones."""
    patients = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY], prefetch=1000)
    ids = _put(database, 50)
    relay = relays.start(shared_rabbitmq, "relay-1", RELAY_LOSES="writing")
    try:
        eventually(lambda: "lost its database session" in relay.output.read_text())
        relays.start(shared_rabbitmq, "relay-2")
        throughout(lambda: _depth(database) == (50, 0), seconds=4)
        relay.kill()
        throughout(lambda: _depth(database) == (50, 0), seconds=3)
        assert _ids(_take(patients)) == ids
    finally:
        with database.statements() as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            name = database.engine.url.database
            connection.execute(text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))
    eventually(lambda: _drained(database))
    assert _ids(_take(patients)) == ids, "the relay that knew of them was killed: one more copy"
    patients.close()


def _memory(process: Process, field: str = "VmRSS") -> int:
    """Resident memory in kB, now or (VmHWM) at its highest."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0])


_needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory of a process is read from /proc, which is not here"
)


@_needs_proc
def test_a_long_backlog_drains_without_growing_memory(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY]).close()
    with database.transaction() as connection:
        put(connection, 30_000, size=1200)
    relay = relays.start(shared_rabbitmq)
    eventually(lambda: _depth(database)[0] < 27_000, seconds=60)
    early = _memory(relay)
    eventually(lambda: _drained(database), seconds=60)
    assert _memory(relay) - early < 10_000


@_needs_proc
def test_a_backlog_of_large_envelopes_takes_little_memory_and_an_admission_goes_out_meanwhile(
    database: Database, relays: Relays, shared_rabbitmq: BrokerAddress
) -> None:
    count, size = 180, 9_500_000
    patients = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    newest = {"x-max-length": 2}  # a queue that is read, as it were: nothing piles up in it
    Consumer(shared_rabbitmq, "events", [EVENT_ROUTING_KEY], arguments=newest).close()
    relay = relays.start(shared_rabbitmq)
    eventually(relays.active)
    _put(database, 5)
    eventually(lambda: len(_take(patients)) == 5)
    idle = _memory(relay)
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        put(connection, count, sender="BULK", routing_key=EVENT_ROUTING_KEY, size=size)
    admission = _put(database, 1)
    eventually(lambda: _ids(_take(patients)) == admission)
    if count > 100:
        assert _depth(database)[0] > 0, "the backlog is still there"
    eventually(lambda: _drained(database), seconds=240)
    assert _depth(database) == (0, 0)
    assert _memory(relay, "VmHWM") - idle < 150_000
    patients.close()

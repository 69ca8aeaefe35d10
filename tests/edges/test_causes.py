"""What real servers and sockets make drivers raise, and the cause that is told of it."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from secrets import token_hex

import psycopg
import pytest
from pika.adapters.select_connection import IOLoop
from sqlalchemy import create_engine, make_url, text

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.faults import fault_of as broker_fault_of
from dhos_connector_api.broker.link import Link
from dhos_connector_api.causes import Cause, Fault, cause_of_socket
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.db.faults import fault_of
from dhos_connector_api.errors import StorageUnavailable
from tests.rigs.shared_postgres import administration, temporary_database


def database_fault(address: DatabaseAddress, statement: str = "SELECT 1") -> Fault:
    """What is told of this database when it is asked that."""
    engine = create_engine(address.url(), **engine_options(pool_size=1))
    try:
        with pytest.raises(StorageUnavailable) as caught, Database(engine).statements() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
    assert caught.value.fault is not None
    return caught.value.fault


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"host": "127.0.0.1", "port": 1}, Cause.REFUSED),
        ({"host": "127.0.0.1,127.0.0.2", "port": 1}, Cause.REFUSED),
        ({"host": "/nowhere", "port": 1}, Cause.REFUSED),
        ({"host": "nobody.invalid"}, Cause.DNS),
        ({"name": "nothing"}, Cause.NO_DATABASE),
        ({"user": "nobody"}, Cause.LOGIN),
        ({"password": "CANARYWORD"}, Cause.LOGIN),
    ],
)
def test_a_connection_to_postgresql_that_does_not_come_about(
    postgres: DatabaseAddress, changes: dict[str, object], cause: Cause
) -> None:
    wrong = replace(postgres, **changes)  # type: ignore[arg-type]
    fault = database_fault(wrong)
    assert fault.cause is cause
    assert str(fault.host) in wrong.host
    assert int(fault.port) == wrong.port
    assert "CANARY" not in str(fault)


def test_what_postgresql_says_of_its_state(postgres: DatabaseAddress) -> None:
    with temporary_database(postgres) as address:
        assert database_fault(address, "SELECT * FROM message").cause is Cause.NOT_MIGRATED
        assert database_fault(address, "SELECT pg_terminate_backend(pg_backend_pid())").cause is Cause.LOST
        with administration(postgres) as connection:
            connection.execute(
                text(f'ALTER DATABASE "{address.name}" SET default_transaction_read_only = on')
            )
        assert database_fault(address).cause is Cause.READ_ONLY


@pytest.fixture
def plain(postgres: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A role that is no superuser: those connect beyond the limits that others meet."""
    name = f"plain_{token_hex(4)}"
    with administration(postgres) as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'plain' CONNECTION LIMIT 0"))
    yield replace(postgres, user=name, password="plain")
    with administration(postgres) as connection:
        connection.execute(text(f"DROP ROLE {name}"))


def test_too_many_connections(plain: DatabaseAddress) -> None:
    assert database_fault(plain).cause is Cause.TOO_MANY


def test_a_text_of_the_driver_is_never_in_a_fault() -> None:
    url = DatabaseAddress("db.test", 5432, "CANARYNAME", "CANARYUSER", "CANARYWORD").url()
    for each in (psycopg.OperationalError("CANARY"), psycopg.errors.UndefinedTable("CANARY")):
        fault = fault_of(each, url)
        assert "CANARY" not in f"{fault} {fault!r}"
    assert fault_of(psycopg.OperationalError("CANARY"), url) == Fault(
        "PostgreSQL", "db.test", 5432, Cause.OTHER
    )


def broker_fault(address: BrokerAddress) -> Fault:
    """What is told of a connection that is not to be had."""
    loop = IOLoop()
    link = Link(address, "test", loop)
    assert not link.run_until(lambda: link.open, lambda: True)
    link.cut()
    loop.close()
    assert link.reason is not None
    return broker_fault_of(link.reason, address)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"host": "127.0.0.1", "port": 1}, Cause.REFUSED),
        ({"host": "nobody.invalid"}, Cause.DNS),
        ({"vhost": "nothing"}, Cause.NO_VHOST),
        ({"username": "CANARYUSER"}, Cause.LOGIN),
        ({"password": "CANARYWORD"}, Cause.LOGIN),
    ],
)
def test_a_connection_to_rabbitmq_that_does_not_come_about(
    shared_rabbitmq: BrokerAddress, changes: dict[str, object], cause: Cause
) -> None:
    wrong = replace(shared_rabbitmq, **changes)  # type: ignore[arg-type]
    assert broker_fault(wrong) == Fault("RabbitMQ", wrong.host, wrong.port, cause)


def test_errors_of_the_operating_system() -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        socket.create_connection(("127.0.0.1", 1), timeout=5)
    assert cause_of_socket(refused.value) is Cause.REFUSED
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError) as late:
            ours.recv(1)
    assert cause_of_socket(late.value) is Cause.TIMED_OUT
    assert cause_of_socket(OSError(113, "")) is Cause.UNREACHABLE
    assert cause_of_socket(ValueError()) is None


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "the database system is not yet accepting connections\nDETAIL:  not yet ready for hot standby",
            Cause.STARTING,
        ),
        (
            "the database system is not accepting connections\nDETAIL:  Hot standby mode is disabled.",
            Cause.READ_ONLY,
        ),
        ('permission denied for database "x"', Cause.NO_DATABASE),
        ('database "x" is not currently accepting connections', Cause.NO_DATABASE),
        ('cannot connect to invalid database "x"', Cause.NO_DATABASE),
        ("could not write init file: No space left on device", Cause.FULL),
        ("terminating connection due to administrator command", Cause.LOST),
        ('private key file "/k" has group or world access', Cause.TLS),
    ],
)
def test_what_libpq_passes_on_as_text_only(said: str, cause: Cause) -> None:
    error = psycopg.OperationalError(f"connection failed: FATAL:  {said}")
    assert fault_of(error, make_url("postgresql://u@db/x")).cause is cause

"""A relay as a process of its own, for tests: `python -m tests.rigs.relay_process`, set up by environment.

RELAY_DIES=after-confirm makes it end itself as kill -9 does, between the confirm and the settling.
RELAY_ASKS=URL gives it the management API there, with RELAY_PASSWORD or guest's own.
RELAY_LOSES=writing makes its database read-only for new sessions there, and ends its session.
"""

import os
import signal
from collections.abc import Callable, Sequence

from sqlalchemy import create_engine, text

from dhos_connector_api import log
from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.management import Management
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.broker.room import Room, look
from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.workers import lease, loop, relay


class DyingPublisher(Publisher):
    """Publishes one batch and is dead before anybody knows."""

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        super().publish(batch)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class ReadOnlyPublisher(Publisher):
    """Publishes one batch, and from then on nothing can be written."""

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        outcomes = super().publish(batch)
        engine = create_engine(os.environ["DATABASE"], isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            name = engine.url.database
            connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = :name AND datname = current_database()"
                ),
                {"name": os.environ["NAME"]},
            )
        engine.dispose()
        return outcomes


def environment(database: DatabaseAddress, broker: BrokerAddress, name: str, **more: str) -> dict[str, str]:
    """The environment of such a process; `name` shows in pg_stat_activity and in RabbitMQ's lists."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE": database.url().render_as_string(hide_password=False),
        "BROKER_PORT": str(broker.port),
        "BROKER_VHOST": broker.vhost,
        "NAME": name,
        **more,
    }


def main() -> None:
    environ = os.environ
    log.set_up("INFO", "plain")
    stop = loop.stop_on_signals()
    address = BrokerAddress("127.0.0.1", int(environ["BROKER_PORT"]), environ["BROKER_VHOST"])
    kind = Publisher
    if environ.get("RELAY_DIES") == "after-confirm":
        kind = DyingPublisher
    elif environ.get("RELAY_LOSES") == "writing":
        kind = ReadOnlyPublisher

    def make_outlet(keep_waiting: Callable[[], bool]) -> Publisher:
        return kind(address, name=environ["NAME"], keep_waiting=keep_waiting)

    room = None
    if url := environ.get("RELAY_ASKS"):
        password = environ.get("RELAY_PASSWORD", "guest")
        room = Room(look(Management(url, address.vhost, "guest", password), [address]))
    engine = lease.session_engine(environ["DATABASE"], name=environ["NAME"])
    relay.run(engine, make_outlet, stop, room=room)


if __name__ == "__main__":
    main()

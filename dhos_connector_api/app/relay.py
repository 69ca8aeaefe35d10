"""The relay: its session in PostgreSQL, where it publishes to, and what wakes it."""

from sqlalchemy import Engine

from dhos_connector_api.app import consuming
from dhos_connector_api.app.brokers import broker_addresses, broker_management
from dhos_connector_api.app.storage import database_address
from dhos_connector_api.broker import room as rooms
from dhos_connector_api.broker.in_process import InProcess
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.outbox import wake
from dhos_connector_api.outbox.wake import Bell
from dhos_connector_api.workers import lease
from dhos_connector_api.workers.relay import MakeOutlet


def engine(settings: Settings) -> Engine:
    """Return the engine of the session that holds the relay's lease. Raises BadSetting."""
    return lease.session_engine(database_address(settings).url())


def bell(settings: Settings) -> Bell:
    """Return what the processes on this machine wake the relay by. Raises BadSetting."""
    return Bell(database_address(settings).label)


def wake_after_commits(settings: Settings) -> None:
    """Wake the relay from now on when this process has committed envelopes. Raises BadSetting."""
    wake.use(database_address(settings).label)


def outlet(settings: Settings, database: Database) -> MakeOutlet:
    """Return what makes the relay's outlet: RabbitMQ, or where none is set the consumers in this process."""
    found = broker_addresses(settings)
    if not found:
        hand = consuming.hand(settings, database)
        return lambda keep_waiting: InProcess(hand, keep_waiting)
    address, *others = found
    name = "dhos-connector-api relay"
    return lambda keep_waiting: Publisher(address, others, name=name, keep_waiting=keep_waiting)


def room(settings: Settings) -> rooms.Room | None:
    """Return what knows which queues are full; None where no management API is set. Raises BadSetting."""
    management = broker_management(settings)
    if management is None:
        return None
    return rooms.Room(rooms.look(management, broker_addresses(settings)))

"""The relay: its session in PostgreSQL, where it publishes to, and what wakes it."""

from sqlalchemy import Engine

from dhos_connector_api.app.storage import database_address
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.no_broker import NoBroker
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.config.load import Settings
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


def outlet(settings: Settings) -> MakeOutlet:
    """Return what makes the relay's outlet: RabbitMQ, or where none is set what takes nothing."""
    broker = settings.of(BrokerSettings)
    if not broker.is_used:
        return lambda _keep_waiting: NoBroker()
    address = BrokerAddress(
        host=str(broker.host),
        port=broker.port,
        vhost=broker.vhost,
        username=broker.username,
        password=broker.password,
    )
    return lambda keep_waiting: Publisher(address, name="dhos-connector-api relay", keep_waiting=keep_waiting)

"""Whether this installation is well: what every room finds, and what was acknowledged and is gone."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TextIO
from uuid import UUID

from dhos_connector_api import clock
from dhos_connector_api.app import rooms
from dhos_connector_api.app.brokers import broker_addresses, broker_management
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.broker.management import ManagementAway
from dhos_connector_api.broker.state import BrokerState
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.db.settings import RetentionSettings
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.messages import vanished
from dhos_connector_api.messages.vanished import Acknowledged

_ADVICE = "docs/operations.md says what each cause means"
#: An exchange that every virtual host has.
_ALWAYS = "amq.topic"
_BROKERS = {"ok": "lets us in", "not set": "is not set: envelopes wait"}


def findings(settings: Settings) -> Iterator[Finding]:
    """Return what each room finds; where PostgreSQL cannot be used, its cause is all that is known."""
    yield _broker(settings)
    yield from _management(settings)
    database = open_database(settings)
    try:
        with database.statements() as connection:
            for module in rooms.import_all("findings"):
                yield from module.findings(settings, connection)
    except StorageUnavailable as error:
        yield Finding("PostgreSQL", error.full_text, _ADVICE)
    finally:
        database.engine.dispose()


def gone(settings: Settings, log: TextIO) -> Iterator[Acknowledged]:
    """Return what the lines of a log say was acknowledged, and the database does not have.

    What is older than MESSAGE_RETENTION is not looked for.
    """
    kept = settings.of(RetentionSettings).messages
    oldest = clock.first_uuid(clock.now() - timedelta(seconds=kept)) if kept is not None else UUID(int=0)
    database = open_database(settings)
    try:
        with database.statements() as connection:
            told = (each for each in vanished.acknowledged(vanished.lines_of(log)) if each.uuid >= oldest)
            yield from vanished.of(connection, told)
    finally:
        database.engine.dispose()


def _broker(settings: Settings) -> Finding:
    state = BrokerState(broker_addresses(settings))()
    if state in _BROKERS:
        return Finding("RabbitMQ", _BROKERS[state])
    return Finding("RabbitMQ", f"cannot be used: {state}", _ADVICE)


def _management(settings: Settings) -> Iterator[Finding]:
    management = broker_management(settings)
    if management is None:
        return
    try:
        management.reached(_ALWAYS, "")
    except ManagementAway as error:
        text, advice = f"cannot be used: {error.fault.cause}", _ADVICE
    else:
        text, advice = "answers", ""
    yield Finding("RabbitMQ's management API", text, advice)

"""The consumers of envelopes, and how they get them: from RabbitMQ, or where none is set from the relay."""

from collections.abc import Sequence

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import (
    EVENT_ROUTING_KEY,
    LEGACY_ROUTING_KEY,
    PX_ROUTING_KEY,
    Envelope,
)
from dhos_connector_api.app import journeys
from dhos_connector_api.app.brokers import broker_addresses
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.consumer import Consumer
from dhos_connector_api.broker.in_process import Hand
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import BadSetting, BrokerUnavailable
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys.on_event import CONSUMER
from dhos_connector_api.px.organizations import on_event as organizations
from dhos_connector_api.workers.consume import PREFETCH, MakeQueue
from dhos_connector_api.workers.settings import WorkerSettings

QUEUE = "dhos-connector-px"
ROUTING_KEYS = (LEGACY_ROUTING_KEY, EVENT_ROUTING_KEY, PX_ROUTING_KEY)
#: What the feeds tell comes under these; the rest are the wing's own announcements.
OF_FEEDS = frozenset({LEGACY_ROUTING_KEY, EVENT_ROUTING_KEY})
#: A quorum queue: what was confirmed survives a node. RabbitMQ 4 drops what was delivered twenty times, for
#: which processes that end are enough: so often it is never delivered.
ARGUMENTS = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


def readers(settings: Settings, database: Database) -> list[Reader]:
    """Return the consumers of this installation, each with what it does: patients come before journeys."""
    return [
        Reader(database, organizations.CONSUMER, organizations.apply, clock.now, OF_FEEDS),
        Reader(database, CONSUMER, journeys.effect(settings), clock.now, OF_FEEDS),
    ]


def queue(settings: Settings) -> MakeQueue:
    """Return what connects to the queue, at each server in turn. Raises BadSetting without RabbitMQ."""
    addresses = broker_addresses(settings)
    if not addresses:
        raise BadSetting("RABBITMQ_HOST is missing: without RabbitMQ the relay hands envelopes on by itself")

    def connect() -> Consumer:
        for address in addresses[:-1]:
            try:
                return _consumer(address)
            except BrokerUnavailable:
                continue
        return _consumer(addresses[-1])

    return connect


def _consumer(address: BrokerAddress) -> Consumer:
    return Consumer(address, QUEUE, ROUTING_KEYS, prefetch=PREFETCH, arguments=ARGUMENTS)


def is_in_process(settings: Settings) -> bool:
    """Return whether the relay hands envelopes to the consumers: no RabbitMQ is set, and they are wanted.

    One that is set and disabled comes back: envelopes wait for it, as others consume there too.
    """
    broker = settings.of(BrokerSettings)
    none_set = broker.host is None and broker.url is None
    return none_set and settings.of(WorkerSettings).consume_processes > 0


def hand(settings: Settings, database: Database) -> Hand | None:
    """Return what gives envelopes to the consumers in this process; None: they wait."""
    if not is_in_process(settings):
        return None
    consumers = readers(settings, database)

    def give(envelopes: Sequence[Envelope]) -> None:
        letters = [_letter(each) for each in envelopes]
        for each in consumers:
            each.take(letters)

    return give


def _letter(envelope: Envelope) -> Letter:
    return Letter(str(envelope.id), envelope.routing_key, envelope.correlation_id, envelope.body)

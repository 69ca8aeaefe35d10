"""What must be true of journeys once everything that was told is published and applied."""

import json
from collections import Counter
from uuid import UUID

import pika
from sqlalchemy import text

from dhos_connector_api.actions.envelope import PX_ROUTING_KEY
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys import applying
from dhos_connector_api.px.journeys.announcing import AnnouncementKind
from dhos_connector_api.px.journeys.evidence import Name
from dhos_connector_api.px.organizations.identity import SHARED
from tests.rigs.journey_listener import JourneyListener

QUEUE = "journeys"
# The wing's own announcements are passed over by its consumers, who record nothing of them.
_LEFT = text(f"""
WITH told AS (SELECT id FROM outbox WHERE routing_key <> '{PX_ROUTING_KEY}')
SELECT
    (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS "to publish",
    (SELECT count(*) FROM parked) AS parked,
    (SELECT count(*) FROM told WHERE NOT EXISTS (
        SELECT FROM inbox WHERE message_id = told.id AND consumer = 'organizations')) AS patients,
    (SELECT count(*) FROM told WHERE NOT EXISTS (
        SELECT FROM inbox WHERE message_id = told.id AND consumer = 'journeys')) AS journeys
""")
_ANNOUNCED = text(f"SELECT id, body FROM outbox WHERE routing_key = '{PX_ROUTING_KEY}' ORDER BY position")
_JOURNEYS = text("""
SELECT id, encounter_id, status, coalesce((announced->>'number')::int, 0) AS number,
    ARRAY(SELECT stage_template_id FROM stage_instance WHERE journey_id = journey.id
        AND stage_instance.status = 'completed') AS completed
FROM journey_instance AS journey
""")


class Hearing:
    """A queue of its own for what is announced, as another room has one."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        with self._connection() as connection:
            channel = connection.channel()
            channel.exchange_declare("dhos", "topic", durable=True)
            channel.queue_declare(QUEUE, durable=True)
            channel.queue_bind(QUEUE, "dhos", PX_ROUTING_KEY)

    def _connection(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(self._address.parameters("hearing"))

    def heard(self) -> set[UUID]:
        """Take everything that is in the queue now; return the ids, of which some may have come twice."""
        found: set[UUID] = set()
        with self._connection() as connection:
            channel = connection.channel()
            while True:
                method, properties, _ = channel.basic_get(QUEUE, auto_ack=True)
                if method is None:
                    return found
                found.add(UUID(properties.message_id))


def is_settled(database: Database) -> bool:
    """Return True. Fails, with the numbers, while something is left to publish or to apply."""
    with database.statements() as connection:
        left = connection.execute(_LEFT).mappings().one()
    assert not any(left.values()), dict(left)
    return True


def agree(database: Database, encounters: set[str], heard: set[UUID]) -> None:
    """Hold that each encounter has one journey, its evidence's fold, of which everything was told once."""
    with database.statements() as connection:
        assert applying.preview(connection, {Name(SHARED, each) for each in encounters}) == []
        states = connection.execute(text("SELECT state, reason, count(*) FROM evidence GROUP BY 1, 2")).all()
        journeys = connection.execute(_JOURNEYS).all()
        announced = connection.execute(_ANNOUNCED).all()
    assert [(state, reason) for state, reason, _ in states] == [("applied", None)]
    assert Counter(each.encounter_id for each in journeys) == Counter(encounters)
    assert heard == {id_ for id_, _ in announced}
    listeners, numbers = _listened([json.loads(body)["actions"][0] for _, body in announced])
    assert listeners
    assert listeners.keys() <= {each.id for each in journeys}
    for each in journeys:
        assert numbers.get(each.id, []) == list(range(1, each.number + 1))
        listener = listeners.get(each.id, JourneyListener())
        assert (listener.status, listener.stages) == (each.status, set(each.completed))


def _listened(actions: list[dict[str, object]]) -> tuple[dict[UUID, JourneyListener], dict[UUID, list[int]]]:
    """What is known of each journey by its announcements in the order of the outbox, and their numbers."""
    listeners: dict[UUID, JourneyListener] = {}
    numbers: dict[UUID, list[int]] = {}
    kinds = {each.value: each for each in AnnouncementKind}
    for action in actions:
        data = action["data"]
        assert isinstance(data, dict)
        if kind := kinds.get(str(action["name"])):
            journey, stage = UUID(data["journey_id"]), data["stage_template_id"]
            numbers.setdefault(journey, []).append(data["number"])
            listeners.setdefault(journey, JourneyListener()).hear(kind, UUID(stage) if stage else None)
    return listeners, numbers

"""Builders of deliveries: messages to send, queued, claimed and settled in a real database."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import search, store
from dhos_connector_api.deliveries.deliver import Deliverer, Destination
from dhos_connector_api.deliveries.rules.outcome import Accepted, DeliveryFailed, Kind, Outgoing
from dhos_connector_api.deliveries.store import NewDelivery
from dhos_connector_api.messages import store as messages
from dhos_connector_api.messages.store import Effects
from dhos_connector_api.site.model import DeliveryPolicy
from tests.builders.rows import WINDOW, new_message

_number = count(1)


@dataclass
class Clock:
    """Time under the test's control."""

    at: datetime = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def pass_(self, seconds: float) -> None:
        """Move the clock on."""
        self.at += timedelta(seconds=seconds)


@dataclass
class Script:
    """A destination written by hand: answers as it was told, and remembers what it was sent."""

    answers: list[Accepted | DeliveryFailed] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)

    def __call__(self, outgoing: Outgoing) -> Accepted:
        self.sent.append(outgoing)
        answer = self.answers.pop(0) if self.answers else Accepted(200, "AA", b"MSA|AA")
        if isinstance(answer, DeliveryFailed):
            raise answer
        return answer


def failed(kind: Kind = Kind.TRANSIENT, **more: Any) -> DeliveryFailed:
    """A failure of that kind."""
    return DeliveryFailed(kind, "it did not work", **more)


def queue(
    database: Database,
    *,
    at: datetime,
    destination: str = "epr",
    series: str | None = None,
    body: bytes | None = None,
    control_id: str | None = None,
) -> UUID:
    """Keep a message that goes out and queue its delivery; the delivery's uuid."""
    with database.transaction() as connection:
        return put(
            connection, at=at, destination=destination, series=series, body=body, control_id=control_id
        )


def put(
    connection: Connection,
    *,
    at: datetime,
    destination: str = "epr",
    series: str | None = None,
    body: bytes | None = None,
    control_id: str | None = None,
) -> UUID:
    """The same in a transaction of the caller's."""
    number = next(_number)
    row = new_message(
        at=at,
        src_description="dhos",
        dst_description="tie",
        state="queued",
        received=body or f"MSH|{number}".encode(),
        ack=None,
        ack_status=None,
        message_control_id=control_id or f"OUT{number}",
    )
    delivery = NewDelivery(
        uuid=clock.new_uuid(at),
        message_uuid=row.uuid,
        destination=destination,
        series=series,
        at=at,
        correlation_id=row.correlation_id,
    )
    messages.insert(connection, row, Effects(identifiers=[("MRN", f"M{number}")]), window=WINDOW)
    store.add(connection, delivery)
    return delivery.uuid


def deliverer(
    database: Database,
    send: Callable[[Outgoing], Accepted],
    at: Clock,
    *,
    policy: DeliveryPolicy | None = None,
    name: str = "epr",
    chance: float = 0.0,
) -> Deliverer:
    """One who delivers to `name` through `send`, by the test's clock and without jitter."""
    rules = policy or DeliveryPolicy()
    destination = Destination(name, send, lambda: rules)
    return Deliverer(
        database,
        destination,
        at.pass_,
        now=at.now,
        monotonic=at.monotonic,
        chance=lambda: chance,
    )


def work(one: Deliverer, free: int = 1) -> int:
    """Claim and attempt what is due now, once; how many attempts it was."""
    claims = one.claim(free)
    for claimed in claims:
        one.attempt(claimed)
    return len(claims)


def shown(database: Database, uuid: UUID) -> dict[str, Any]:
    """The delivery as the API shows it, with its attempts and its message."""
    with database.statements() as connection:
        row = search.get(connection, uuid)
        assert row is not None
        attempts = [dict(each) for each in search.attempts(connection, uuid)]
        message = messages.get(connection, row["message_uuid"])
    assert message is not None
    return {**row, "history": attempts, "message": dict(message)}


def outcomes(database: Database, uuid: UUID) -> list[str | None]:
    """How each attempt ended, in order."""
    return [attempt["outcome"] for attempt in shown(database, uuid)["history"]]


def states(database: Database) -> dict[str, int]:
    """How many deliveries are in each state."""
    with database.statements() as connection:
        found = connection.execute(text("SELECT state, count(*) FROM delivery GROUP BY state"))
        return {row[0]: row[1] for row in found}

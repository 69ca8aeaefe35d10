"""Queueing deliveries and claiming them to be sent. Nothing here commits; the caller owns the transaction.

Who claims deliveries has locked their destination's row before: so two processes never begin more than
it has room for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.db.large_rows import in_binary
from dhos_connector_api.db.within_bytes import Bound
from dhos_connector_api.deliveries import statements
from dhos_connector_api.deliveries.rules.outcome import Outgoing
from dhos_connector_api.deliveries.rules.schedule import Health
from dhos_connector_api.deliveries.states import DeliveryState
from dhos_connector_api.messages import outgoing
from dhos_connector_api.site.model import DeliveryPolicy

_BOUND = Bound()
#: What is said of an attempt whose process did not live to say how it ended.
LOST = "the process that sent it ended before it knew the answer"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message to be delivered. Of one `series` (None: of none) only the newest is sent."""

    uuid: UUID
    message_uuid: UUID
    destination: str
    series: str | None
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this process alone may attempt until `until`, by the rules of `policy`.

    `outgoing` is None when the message's bytes are no longer kept. `failures` are those before.
    """

    uuid: UUID
    lease: UUID
    until: datetime
    message_uuid: UUID
    message_created: datetime
    number: int
    failures: int
    policy: DeliveryPolicy
    outgoing: Outgoing | None

    @property
    def size(self) -> int:
        """Return how many bytes are to be sent."""
        return len(self.outgoing.body) if self.outgoing else 0


def add(connection: Connection, delivery: NewDelivery) -> None:
    """Queue a delivery; older ones of its series that wait are superseded."""
    if delivery.series is not None:
        # One at a time for a series: the later of two must see the earlier.
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:series, 0))")
        connection.execute(lock, {"series": f"{delivery.destination} {delivery.series}"})
    values = {name: getattr(delivery, name) for name in delivery.__slots__}
    superseded = connection.execute(statements.ADD, values).scalars().all()
    outgoing.mark_superseded(connection, superseded, at=delivery.at)


def is_due(connection: Connection, destination: str, now: datetime) -> bool:
    """Return whether there is anything to claim, or a lease that has run out: a cheap look without locks."""
    found: bool = connection.execute(
        text(
            "SELECT EXISTS (SELECT FROM delivery WHERE destination = :destination"
            " AND state = 'sending' AND leased_until < :now)"
            # The least of them, and not whether there is any: that PostgreSQL always takes from the index.
            " OR coalesce((SELECT min(due_at) FROM delivery WHERE destination = :destination"
            " AND state = 'waiting') <= :now, false)"
        ),
        {"destination": destination, "now": now},
    ).scalar_one()
    return found


def lose(connection: Connection, destination: str, policy: DeliveryPolicy, now: datetime) -> int:
    """Take back deliveries whose lease has run out, mark their attempts ambiguous, and return their number.

    They are due again as the schedule says from the attempt's beginning. The destination is locked already.
    """
    values = {
        "destination": destination,
        "now": now,
        "error": LOST,
        "schedule": list(policy.schedule),
        "leased": policy.timeout + policy.grace,
    }
    lost = connection.execute(statements.LOSE, values).all()
    dead = [row.message_uuid for row in lost if row.state == DeliveryState.DEAD]
    outgoing.mark_dead(connection, dead, error=LOST, at=now)
    return len(lost)


def claim(
    connection: Connection,
    destination: str,
    policy: DeliveryPolicy,
    *,
    health: Health,
    free: int,
    now: datetime,
    lease: UUID,
    bound: Bound = _BOUND,
) -> list[Claim]:
    """Claim up to `free` due deliveries within `bound`, as far as the destination has room for them now.

    `health` is of the destination's row, which the same transaction has locked first.
    """
    names = {"destination": destination, "now": now}
    under_way = connection.execute(
        text("SELECT count(*) FROM delivery WHERE destination = :destination AND state = 'sending'"), names
    ).scalar_one()
    most = min(free, health.free_places(policy, under_way=under_way, now=now))
    if most <= 0:
        return []
    until = now + timedelta(seconds=policy.timeout + policy.grace)
    query = statements.PROBE if health.failing else statements.IN_TURN
    values = {**names, "lease": lease, "until": until, "limit": most}
    values |= {"most_bytes": bound.most_bytes, "least": bound.least}
    rows = in_binary(connection, query, values)
    if rows:
        claimed = {"claimed": [row["uuid"] for row in rows], "now": now}
        superseded = connection.execute(statements.OVERTAKEN, claimed).scalars().all()
        outgoing.mark_superseded(connection, superseded, at=now)
    return [_claim(row, lease, until, policy) for row in rows]


def _claim(row: dict[str, Any], lease: UUID, until: datetime, policy: DeliveryPolicy) -> Claim:
    """Return one row of the claiming statement as what is attempted."""
    received = row["received"]
    outgoing = None
    if received is not None:
        outgoing = Outgoing(
            row["uuid"], row["message_control_id"], received, row["correlation_id"], policy.timeout
        )
    return Claim(
        uuid=row["uuid"],
        lease=lease,
        until=until,
        message_uuid=row["message_uuid"],
        message_created=row["created"],
        number=row["attempts"],
        failures=row["failures"],
        policy=policy,
        outgoing=outgoing,
    )

"""Deliver: claim what is due for one destination, send it with no transaction open, settle it."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.within_bytes import Bound
from dhos_connector_api.deliveries import destinations, settlement, store
from dhos_connector_api.deliveries.metrics import DELIVERY_ATTEMPTS, DELIVERY_SECONDS
from dhos_connector_api.deliveries.rules.outcome import Accepted, DeliveryFailed, Kind, Outgoing
from dhos_connector_api.deliveries.rules.schedule import next_attempt
from dhos_connector_api.deliveries.states import AttemptOutcome
from dhos_connector_api.deliveries.store import Claim
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.log import correlation_id, where
from dhos_connector_api.site.model import DeliveryPolicy

_log = logging.getLogger(__name__)

#: Sends one message: Accepted, or raises DeliveryFailed.
Transport = Callable[[Outgoing], Accepted]
_BOUND = Bound()
#: MSA-1 of a message that was rejected for a reason that may pass, if the site says so.
_REJECTED = "AR"
#: How long past the lease it is tried to settle what is certain.
_SETTLE_LONGER = timedelta(minutes=10)
#: Seconds between two tries to settle while the database is away.
_SETTLE_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go: its name, how one is sent, and by which rules (they may change with the site)."""

    name: str
    send: Transport
    policy: Callable[[], DeliveryPolicy]


class Deliverer:
    """Delivers to one destination. `pause` waits so many seconds; `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        database: Database,
        destination: Destination,
        pause: Callable[[float], object],
        *,
        now: Callable[[], datetime] = clock.now,
        monotonic: Callable[[], float] = clock.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.destination = destination
        self._database = database
        self._pause = pause
        self._now = now
        self._monotonic = monotonic
        self._chance = chance

    def claim(self, free: int, bound: Bound = _BOUND) -> list[Claim]:
        """Return up to `free` deliveries within `bound` that this process alone may attempt.

        Raises StorageUnavailable.
        """
        name = self.destination.name
        with self._database.statements() as connection:
            if not store.is_due(connection, name, self._now()):
                return []
        policy, now = self.destination.policy(), self._now()
        with self._database.transaction() as connection:
            health = destinations.locked_health(connection, name)
            lost = store.lose(connection, name, policy, now)
            lease = clock.new_uuid(now)
            claims = store.claim(
                connection, name, policy, health=health, free=free, now=now, lease=lease, bound=bound
            )
        DELIVERY_ATTEMPTS.labels(name, AttemptOutcome.AMBIGUOUS.value).inc(lost)
        return claims

    def attempt(self, claimed: Claim) -> None:
        """Send one claimed delivery and settle it; tries to settle until the lease runs out.

        What was taken or refused for good holds longer, so that is tried for ten minutes. Raises
        StorageUnavailable then: whoever claims it next marks this attempt as ambiguous.
        """
        if claimed.outgoing is not None:
            correlation_id.set(claimed.outgoing.correlation_id)
        began = self._monotonic()
        answer = self._send(claimed)
        seconds = self._monotonic() - began
        last_try = claimed.until
        if isinstance(answer, Accepted) or answer.kind is Kind.PERMANENT:
            last_try += _SETTLE_LONGER
        while True:
            try:
                self._settle(claimed, answer, seconds)
                break
            except StorageUnavailable:
                if self._now() >= last_try:
                    raise
                self._pause(_SETTLE_PAUSE)
        self._count(claimed, answer, seconds)

    def _send(self, claimed: Claim) -> Accepted | DeliveryFailed:
        if claimed.outgoing is None:
            gone = "the bytes of this message are no longer kept"
            return DeliveryFailed(Kind.PERMANENT, gone, contacted=False)
        if self._now() > claimed.until - timedelta(seconds=claimed.policy.timeout):
            stood_still = "not sent: its process stood still since it was claimed"
            return DeliveryFailed(Kind.TRANSIENT, stood_still, contacted=False)
        try:
            return self.destination.send(claimed.outgoing)
        except DeliveryFailed as failed:
            return failed
        except Exception as error:  # noqa: BLE001  a failure of ours in a transport: what was sent is not known
            _log.error("a transport failed", extra={"cause": where(error)})
            return DeliveryFailed(Kind.AMBIGUOUS, "our own failure while it was sent", contacted=False)

    def _settle(self, claimed: Claim, answer: Accepted | DeliveryFailed, seconds: float) -> None:
        now, name = self._now(), self.destination.name
        with self._database.transaction() as connection:
            if isinstance(answer, Accepted):
                destinations.note_answer(connection, name)
                settlement.settle_delivered(connection, claimed, answer, now=now, seconds=seconds)
                return
            if answer.contacted and answer.kind is Kind.PERMANENT:
                destinations.note_answer(connection, name)
            elif answer.contacted:
                destinations.note_failure(connection, name, now=now, retry_after=answer.retry_after)
            again = self._again(claimed, answer, now)
            settlement.settle_failed(connection, claimed, answer, again=again, now=now, seconds=seconds)

    def _again(self, claimed: Claim, failed: DeliveryFailed, now: datetime) -> datetime | None:
        """Return when a delivery that failed is due again; None: never."""
        rejected = failed.ack_code == _REJECTED and not claimed.policy.refused_is_final
        if failed.kind is Kind.PERMANENT and not rejected:
            return None
        failures, chance = claimed.failures + 1, self._chance()
        return next_attempt(
            claimed.policy, failures=failures, now=now, retry_after=failed.retry_after, chance=chance
        )

    def _count(self, claimed: Claim, answer: Accepted | DeliveryFailed, seconds: float) -> None:
        name = self.destination.name
        DELIVERY_ATTEMPTS.labels(name, answer.outcome.value).inc()
        DELIVERY_SECONDS.labels(name).observe(seconds)
        _log.log(
            logging.INFO if isinstance(answer, Accepted) else logging.WARNING,
            "delivery attempted",
            extra={
                "delivery_uuid": str(claimed.uuid),
                "message_uuid": str(claimed.message_uuid),
                "destination": name,
                "attempt": claimed.number,
                "outcome": answer.outcome.value,
                "http_status": answer.http_status,
                "ack": answer.ack_code,
                "cause": None if isinstance(answer, Accepted) else answer.text,
                "seconds": round(seconds, 3),
            },
        )

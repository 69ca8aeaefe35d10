"""When a failed delivery is attempted again, and for how long a destination is left alone (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dhos_connector_api.site.model import DeliveryPolicy

#: From so many failures in a row on a destination counts as failing: one delivery at a time probes it.
FAILING_AFTER = 3
#: Seconds between two probes: doubled from the first to the longest.
FIRST_PROBE, LONGEST_PROBE = 1.0, 60.0
#: The longest that one answer's Retry-After keeps all others from a destination, in seconds.
LONGEST_HOLD = 600.0


@dataclass(frozen=True, slots=True)
class Health:
    """How a destination is doing: failures in a row, since when, and until when it is left alone."""

    failures: int = 0
    failing_since: datetime | None = None
    held_until: datetime | None = None

    @property
    def failing(self) -> bool:
        """Return whether it is tried with one delivery at a time."""
        return self.failures >= FAILING_AFTER

    def after_failure(self, now: datetime, retry_after: float | None) -> "Health":
        """Return its health after one more attempt that it did not take, or did not answer."""
        failures = self.failures + 1
        pause = min(retry_after or 0.0, LONGEST_HOLD)
        if failures >= FAILING_AFTER:
            doublings = min(failures - FAILING_AFTER, 10)
            pause = max(pause, min(FIRST_PROBE * 2**doublings, LONGEST_PROBE))
        until = now + timedelta(seconds=pause)
        if self.held_until is not None and self._holds(now):
            until = max(until, self.held_until)
        return Health(failures, self.failing_since or now, until if until > now else None)

    def free_places(self, policy: DeliveryPolicy, *, under_way: int, now: datetime) -> int:
        """Return how many deliveries may be begun now, with so many under way."""
        if self._holds(now):
            return 0
        return max(0, (1 if self.failing else policy.at_once) - under_way)

    def _holds(self, now: datetime) -> bool:
        longest = now + timedelta(seconds=LONGEST_HOLD)  # a later one is from before the clock was set back
        return self.held_until is not None and now < self.held_until <= longest


def next_attempt(
    policy: DeliveryPolicy, *, failures: int, now: datetime, retry_after: float | None, chance: float
) -> datetime | None:
    """Return when a delivery that has failed so many times is due again; None: the schedule is used up.

    `chance` is a random number from 0 to 1, `retry_after` what the destination asked for, in seconds.
    """
    if failures > len(policy.schedule):
        return None
    planned = policy.schedule[failures - 1] * (1 + policy.jitter * chance)
    return now + timedelta(seconds=max(planned, retry_after or 0.0))

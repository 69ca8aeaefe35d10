"""The only clock and the only source of identifiers; pure code gets their values as arguments."""

import os
import secrets
import time
from datetime import UTC, datetime
from random import Random
from uuid import UUID

#: Seeded by the system once in every process: asking the system for every message is expensive, and
#: these bits have to be different, not secret.
_random = Random()  # noqa: S311
os.register_at_fork(after_in_child=_random.seed)


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds since some fixed moment, for durations: never set back."""
    return time.monotonic()


def new_uuid(at: datetime) -> UUID:
    """A version 7 UUID (RFC 9562): 48 bits of Unix milliseconds from `at`, then 74 random bits.

    Rows made one after the other lie one after the other in an index, which keeps inserts cheap
    in a table of millions.
    """
    milliseconds = int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    random = _random.getrandbits(74)
    return UUID(
        int=milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )


def first_uuid(at: datetime) -> UUID:
    """The least version 7 UUID of that millisecond: what came before sorts before it."""
    return UUID(int=(int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF) << 80)


def random_bytes(count: int) -> bytes:
    """That many bytes nobody can foretell."""
    return secrets.token_bytes(count)

"""The only clock and the only source of identifiers; pure code gets their values as arguments."""

import os
import secrets
import time
from datetime import UTC, datetime
from itertools import count
from random import Random
from uuid import UUID

#: Bits of a version 7 UUID that count what this process makes, and those that are random.
_COUNTED, _RANDOM = 26, 48
#: Seeded by the system once in every process: asking the system for every message is expensive, and
#: these bits have to be different, not secret.
_random = Random()  # noqa: S311


def _counter() -> "count[int]":
    """From somewhere in the lower half, so that it wraps only after some 33 million."""
    return count(_random.getrandbits(_COUNTED - 1))


_made = _counter()


def _begin_anew() -> None:
    """In a forked process: its numbers are its own."""
    global _made  # noqa: PLW0603
    _random.seed()
    _made = _counter()


os.register_at_fork(after_in_child=_begin_anew)


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds since some fixed moment, for durations: never set back."""
    return time.monotonic()


def new_uuid(at: datetime) -> UUID:
    """A version 7 UUID (RFC 9562): 48 bits of Unix milliseconds from `at`, 26 that count, 48 random ones.

    Those of one process and millisecond sort in the order in which they were made (section 6.2,
    method 1; `next` of a counter is atomic). Rows made one after the other lie one after the other in
    an index, which keeps inserts cheap in a table of millions.
    """
    milliseconds = int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    rest = (next(_made) & (1 << _COUNTED) - 1) << _RANDOM | _random.getrandbits(_RANDOM)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (rest >> 62) << 64 | 0b10 << 62 | rest & (1 << 62) - 1)


def first_uuid(at: datetime) -> UUID:
    """The least version 7 UUID of that millisecond: what came before sorts before it."""
    return UUID(int=(int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF) << 80)


def random_bytes(count: int) -> bytes:
    """That many bytes nobody can foretell."""
    return secrets.token_bytes(count)

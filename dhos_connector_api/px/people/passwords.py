"""Passwords by argon2id, a few at a time: each takes memory, and whoever is not logged in can ask for one."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from dhos_connector_api.errors import Overloaded

#: KiB, passes and lanes of one hash: what OWASP asks for (Password Storage Cheat Sheet).
MEMORY, PASSES, LANES = 19_456, 2, 1
#: Hashes at once in a process; how many more may wait, each for a thread; and for how many seconds.
AT_ONCE, WAITING, LONGEST_WAIT = 2, 2, 5.0


class Passwords:
    """Makes and checks hashes, at most `AT_ONCE` at a time."""

    def __init__(self, hasher: PasswordHasher | None = None, waiting: int = WAITING) -> None:
        self._hasher = hasher or PasswordHasher(PASSES, MEMORY, LANES, type=Type.ID)
        #: What the password of nobody is compared with, so that it takes as long.
        self._nobodys = self._hasher.hash(secrets.token_hex(16))
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._room = threading.BoundedSemaphore(AT_ONCE + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it until the block ends. Raises Overloaded where too many wait."""
        if not self._room.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turns.acquire(timeout=LONGEST_WAIT):
                raise _busy()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._room.release()

    def hash(self, password: str) -> str:
        """Return the hash of a password. Call it within a turn."""
        return self._hasher.hash(password)

    def fits(self, hash_: str | None, password: str) -> bool:
        """Return whether it is the password of that hash; without one, False after the same time.

        Call it within a turn.
        """
        try:
            self._hasher.verify(hash_ or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return hash_ is not None

    def is_outdated(self, hash_: str) -> bool:
        """Return whether the hash was made with other parameters than are used now."""
        return self._hasher.check_needs_rehash(hash_)


def _busy() -> Overloaded:
    return Overloaded("too many log in at once; Retry-After says when to go on")

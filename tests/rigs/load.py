"""Senders that go on sending, each until its message is acknowledged, while a test breaks things."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol, Self

from tests.rigs.waiting import eventually

#: Seconds that one message may take, whatever is broken meanwhile.
_PATIENCE = 90


class Offers(Protocol):
    """A sender that keeps what was acknowledged. `where` is a URL or a port, as its way in has it."""

    @property
    def acknowledged(self) -> Sequence[Any]: ...

    def next_message(self) -> Any: ...

    def offer(self, where: Any, message: Any, /) -> bool: ...


class Load:
    """Every one of `senders` sends in a thread of its own: `each` messages, or until the block ends."""

    def __init__(self, where: str | int, senders: Sequence[Offers], *, each: int | None = None) -> None:
        self._where = where
        self._each = each
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._done = [0] * len(senders)
        self._threads = [
            threading.Thread(target=self._run, args=(number, sender)) for number, sender in enumerate(senders)
        ]

    def _run(self, number: int, sender: Offers) -> None:
        try:
            while not self._stop.is_set() and self._done[number] != self._each:
                message = sender.next_message()
                eventually(lambda: sender.offer(self._where, message), seconds=_PATIENCE)  # noqa: B023  used within this turn
                self._done[number] += 1
        except BaseException as error:  # noqa: BLE001  a thread's failure is the test's
            self._failures.append(error)

    def total(self) -> int:
        """Return how many messages are acknowledged."""
        return sum(self._done)

    def more(self, number: int) -> None:
        """Wait until that many more messages are acknowledged."""
        self.wait_for(self.total() + number)

    def wait_for(self, number: int) -> None:
        """Wait until so many messages are acknowledged."""
        eventually(lambda: self._failures or self.total() >= number, seconds=180)
        assert not self._failures, self._failures

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._each is None:
            self._stop.set()
        self._join()

    def stop(self) -> None:
        """Stop every sender after the message at hand."""
        self._stop.set()
        self._join()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(200)
        assert not self._failures, self._failures

"""Senders that go on sending, each until its message is acknowledged, while a test breaks things."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol, Self

from tests.rigs.waiting import eventually


class Offers(Protocol):
    """A sender that keeps what was acknowledged."""

    @property
    def acknowledged(self) -> Sequence[Any]: ...

    def next_message(self) -> Any: ...

    def offer(self, url: str, message: Any, /) -> bool: ...


class Load:
    """Every one of `senders` sends to `url` in a thread of its own until the block ends."""

    def __init__(self, url: str, senders: Sequence[Offers]) -> None:
        self._senders = senders
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(url, each)) for each in senders]

    def _run(self, url: str, sender: Offers) -> None:
        while not self._stop.is_set():
            message = sender.next_message()
            eventually(lambda: sender.offer(url, message), seconds=60)  # noqa: B023  used within this turn

    def total(self) -> int:
        """How many messages are acknowledged."""
        return sum(len(sender.acknowledged) for sender in self._senders)

    def more(self, number: int) -> None:
        """Wait until that many more messages are acknowledged."""
        goal = self.total() + number
        eventually(lambda: self.total() >= goal, seconds=60)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let everybody end with the message at hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

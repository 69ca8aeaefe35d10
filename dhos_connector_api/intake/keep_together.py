"""Keep several messages in one transaction; one that cannot be kept never takes the others with it."""

import logging
from collections.abc import Iterable, Iterator, Sequence

from dhos_connector_api import clock
from dhos_connector_api.db.engine import FAILURES, Database
from dhos_connector_api.errors import StorageBusy, StorageUnavailable
from dhos_connector_api.hl7v2.rules import Code
from dhos_connector_api.intake.receive_hl7 import Receipt, Received, duplicate_key, first_receipt, keep
from dhos_connector_api.log import correlation_id, where
from dhos_connector_api.messages import store

_log = logging.getLogger(__name__)

#: Messages in one transaction: more would gain little, and hold their keys for long.
MOST = 64
#: Bytes of messages and of their envelopes after which a transaction takes no more.
MOST_BYTES = 4_000_000
#: Seconds lost to failures after which what is left is given up: others wait behind it.
MOST_LOST = 15.0
#: When the database is away so often in a row, the rest is not tried.
_HOPELESS = 2


class Patience:
    """How long a caller goes on trying: not when the database is away, and not for ever."""

    def __init__(self, seconds: float = MOST_LOST) -> None:
        self._seconds = seconds
        self._away = 0

    @property
    def left(self) -> bool:
        """Whether to try once more."""
        return self._away < _HOPELESS and self._seconds > 0

    def succeeded(self) -> None:
        """Note that the database is there."""
        self._away = 0

    def failed(self, error: Exception, began: float) -> None:
        """Note that one message, tried from `began` on, was not kept.

        That PostgreSQL refuses it, or that its key is held, says nothing of the next.
        """
        away = isinstance(error, StorageUnavailable) and not isinstance(error, StorageBusy)
        self._away = self._away + 1 if away else 0
        self.lost(began)

    def lost(self, began: float) -> None:
        """Note that the time since `began` brought nothing."""
        self._seconds -= clock.monotonic() - began


def keep_together(
    database: Database, messages: Iterable[Received], patience: Patience | None = None
) -> list[Receipt | None]:
    """Store messages in their order, and find which are duplicates. When it returns all is committed.

    A receipt for each; None for one that could not be stored: it must not be acknowledged. Messages
    of several senders should come sorted by `order`, so that two groups do not wait for each other
    in a circle; where they do all the same, PostgreSQL ends one, and its messages are kept one by one.
    """
    return [receipt for _, receipt in kept(database, messages, patience or Patience())]


def kept(
    database: Database, messages: Iterable[Received], patience: Patience
) -> Iterator[tuple[Received, Receipt | None]]:
    """As `keep_together`, each message with its receipt; reads no further than it keeps together."""
    for group in groups(messages):
        yield from zip(group, _keep_group(database, group, patience), strict=True)


def order(received: Received) -> bytes:
    """Sorts messages by the keys they claim."""
    return received.effects.key or b""


def groups(messages: Iterable[Received]) -> Iterator[list[Received]]:
    """Messages as they are kept together: so many, and so much, that memory stays bounded."""
    group: list[Received] = []
    size = 0
    for one in messages:
        group.append(one)
        size += len(one.row.received) + sum(len(each.body) for each in one.effects.envelopes)
        if len(group) == MOST or size > MOST_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _keep_group(database: Database, group: Sequence[Received], patience: Patience) -> list[Receipt | None]:
    if len(group) == 1 or not patience.left:  # one statement is its own transaction
        return _one_by_one(database, group, patience)
    at_once = [one for one in group if _new(one)]
    began = clock.monotonic()
    try:
        done = _insert(database, at_once)
    except FAILURES as error:
        patience.lost(began)
        _log.warning("messages are stored one by one", extra={"messages": len(group), "cause": where(error)})
        return _one_by_one(database, group, patience)
    receipts = iter(_one_by_one(database, [one for one in group if id(one) not in done], patience))
    return [first_receipt(one) if id(one) in done else next(receipts) for one in group]


def _new(received: Received) -> bool:
    """Whether inserting it tells all there is to know: what is refused is first looked up."""
    message, verdict = received.message, received.verdict
    return message is None or verdict is None or verdict.code is Code.AA or duplicate_key(message) is None


def _insert(database: Database, messages: Sequence[Received]) -> set[int]:
    """The `id` of those that were new."""
    if not messages:
        return set()
    pairs = [(one.row, one.effects) for one in messages]
    done = store.insert_all(database, pairs, window=messages[0].intake.duplicate_window)
    return {id(one) for one, new in zip(messages, done, strict=True) if new}


def _one_by_one(database: Database, messages: Sequence[Received], patience: Patience) -> list[Receipt | None]:
    return [_keep_alone(database, one, patience) if patience.left else None for one in messages]


def _keep_alone(database: Database, received: Received, patience: Patience) -> Receipt | None:
    correlation_id.set(received.row.correlation_id)
    began = clock.monotonic()
    try:
        with database.statements() as connection:
            receipt = keep(connection, received)
    except FAILURES as error:
        patience.failed(error, began)
        _log.error("a message was not stored", extra=about(received, error))
        return None
    patience.succeeded()
    return receipt


def about(received: Received, error: Exception) -> dict[str, str]:
    """What a log line says of a message that was not stored."""
    control_id = (received.row.message_control_id or "")[:64]
    return {"message_uuid": str(received.row.uuid), "control_id": control_id, "cause": where(error)}

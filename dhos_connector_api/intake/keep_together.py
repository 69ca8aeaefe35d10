"""Keep several messages in one transaction; one that cannot be kept never takes the others with it."""

import logging
from collections.abc import Sequence
from itertools import islice

from dhos_connector_api.db.engine import FAILURES, Database
from dhos_connector_api.hl7v2.rules import Code
from dhos_connector_api.intake.receive_hl7 import Receipt, Received, duplicate_key, first_receipt, keep
from dhos_connector_api.log import where
from dhos_connector_api.messages import store

_log = logging.getLogger(__name__)

#: Messages in one transaction: more would gain little, and hold their keys for long.
MOST = 64
#: When storing fails so often in a row the database is away, and the rest is not tried.
_HOPELESS = 2


def keep_together(database: Database, messages: Sequence[Received]) -> list[Receipt | None]:
    """Store messages in their order, and find which are duplicates. When it returns all is committed.

    A receipt for each; None for one that could not be stored: it must not be acknowledged. Messages
    of several senders should come sorted by `order`, so that two groups do not wait for each other
    in a circle; where they do all the same, PostgreSQL ends one, and its messages are kept one by one.
    """
    receipts: list[Receipt | None] = []
    left = iter(messages)
    while group := list(islice(left, MOST)):
        receipts += _keep_group(database, group)
    return receipts


def order(received: Received) -> bytes:
    """Sorts messages by the keys they claim."""
    return received.effects.key or b""


def _keep_group(database: Database, group: Sequence[Received]) -> list[Receipt | None]:
    if len(group) == 1:  # one statement is its own transaction
        return _one_by_one(database, group)
    at_once = [one for one in group if _new(one)]
    try:
        kept = _insert(database, at_once)
    except FAILURES as error:
        _log.warning("messages are stored one by one", extra={"messages": len(group), "cause": where(error)})
        return _one_by_one(database, group)
    receipts = iter(_one_by_one(database, [one for one in group if id(one) not in kept]))
    return [first_receipt(one) if id(one) in kept else next(receipts) for one in group]


def _new(received: Received) -> bool:
    """Whether inserting it tells all there is to know: what is refused is first looked up."""
    message, verdict = received.message, received.verdict
    return message is None or verdict is None or verdict.code is Code.AA or duplicate_key(message) is None


def _insert(database: Database, messages: Sequence[Received]) -> set[int]:
    """The `id` of those that were new."""
    if not messages:
        return set()
    pairs = [(one.row, one.effects) for one in messages]
    kept = store.insert_all(database, pairs, window=messages[0].intake.duplicate_window)
    return {id(one) for one, done in zip(messages, kept, strict=True) if done}


def _one_by_one(database: Database, messages: Sequence[Received]) -> list[Receipt | None]:
    receipts: list[Receipt | None] = []
    failures = 0
    for one in messages:
        receipt = _keep_alone(database, one) if failures < _HOPELESS else None
        failures = 0 if receipt else failures + 1
        receipts.append(receipt)
    return receipts


def _keep_alone(database: Database, received: Received) -> Receipt | None:
    try:
        with database.statements() as connection:
            return keep(connection, received)
    except FAILURES as error:
        _log.error("a message was not stored", extra={"cause": where(error)})
        return None

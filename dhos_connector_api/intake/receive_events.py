"""Receive many integration events of one request, in groups; one that cannot be taken stops no other."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from dhos_connector_api.errors import BadInput, Conflict, ConnectorError, SourceNotAllowed
from dhos_connector_api.events import mappings, store
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.intake import receive_event
from dhos_connector_api.intake.receive_event import Circumstances
from dhos_connector_api.log import where

_log = logging.getLogger(__name__)

#: Events written by one statement, and bytes of them: what is in memory at a time.
GROUP, MOST_GROUP_BYTES = 500, 1_000_000
UNKEEPABLE = "the event holds something that cannot be stored"


@dataclass(slots=True)
class Tally:
    """What became of the events of a request. `new` are those `created` by this very attempt."""

    created: int = 0
    new: int = 0
    duplicates: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, index: int, error: ConnectorError) -> None:
        """Note that the event at that place was not taken."""
        details = error.details if isinstance(error, BadInput) else {}
        self.errors.append({"index": index, "error": error.text, "details": dict(details)})

    def shown(self) -> dict[str, Any]:
        """As it is answered."""
        return {
            "created": self.created,
            "duplicates": self.duplicates,
            "failed": len(self.errors),
            "errors": self.errors,
        }


@dataclass(frozen=True, slots=True)
class Request:
    """A request of many events: each as a JSON text, how one is read, and what they share.

    `read` raises BadInput. `claim` is what the request runs under with an Idempotency-Key.
    """

    texts: Iterable[bytes]
    read: Callable[[bytes], dict[str, Any]]
    here: Circumstances
    claim: UUID | None


def groups(request: Request) -> Iterator[list[tuple[int, bytes]]]:
    """The texts with their places: GROUP at a time, or fewer where they are long."""
    group: list[tuple[int, bytes]] = []
    size = 0
    for index, text in enumerate(request.texts):
        if group and (len(group) == GROUP or size + len(text) > MOST_GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append((index, text))
        size += len(text)
    if group:
        yield group


def keep_group(
    connection: Connection, request: Request, group: Iterable[tuple[int, bytes]], tally: Tally
) -> None:
    """Understand and keep one group; each statement on `connection` commits by itself.

    Raises StorageUnavailable; `tally` says what is kept then.
    """
    read = list(_read(request, group, tally))
    known = mappings.load(connection, {body["source_system"] for _, _, body in read})
    _keep(connection, list(_understood(request, replace(request.here, mappings=known), read, tally)), tally)


def _keep(connection: Connection, events: Sequence[tuple[int, NewEvent, bool]], tally: Tally) -> None:
    """Keep these by one statement; where PostgreSQL will not have one of them, each by its own."""
    try:
        kept = receive_event.keep(connection, [event for _, event, _ in events])
    except (DataError, IntegrityError) as error:
        _log.warning("events were not stored", extra={"events": len(events), "cause": where(error)})
        if len(events) == 1:
            tally.refuse(events[0][0], BadInput(UNKEEPABLE))
            return
        for one in events:
            _keep(connection, [one], tally)
        return
    tally.created += len(kept)
    tally.new += len(kept)
    repeats = [each for each in events if each[1].id not in kept]
    if repeats:
        _judge_repeats(connection, repeats, tally)


def _read(
    request: Request, group: Iterable[tuple[int, bytes]], tally: Tally
) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    for index, text in group:
        try:
            yield index, text, request.read(text)
        except BadInput as error:
            tally.refuse(index, error)


def _understood(
    request: Request, here: Circumstances, read: Iterable[tuple[int, bytes, dict[str, Any]]], tally: Tally
) -> Iterator[tuple[int, NewEvent, bool]]:
    """Place and event; whether it is known by its own event_id."""
    for index, text, body in read:
        identity = None if request.claim is None else receive_event.identity_in(request.claim, index)
        try:
            event = receive_event.understand(body, text, here, identity)
        except (BadInput, SourceNotAllowed) as error:
            tally.refuse(index, error)
        else:
            yield index, event, event.identity != identity


def _judge_repeats(
    connection: Connection, repeats: Sequence[tuple[int, NewEvent, bool]], tally: Tally
) -> None:
    """Count what was not new: kept by an attempt before at this very request, known, or contradicting."""
    told = store.told(connection, [event for _, event, own in repeats if own])
    for index, event, own in repeats:
        if not own:
            tally.created += 1
        elif event.id in told:
            tally.duplicates += 1
        else:
            tally.refuse(index, Conflict(receive_event.CONTRADICTS))

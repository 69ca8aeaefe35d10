"""Writing messages, and reading one.

`insert` is the hot path: one statement keeps bytes, facts, identifiers, acknowledgement, key and
envelopes, and tells a new message from a duplicate by what ON CONFLICT let through. Nothing here
commits; the caller owns the transaction, but for `insert_all`, whose transaction is the point of it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import Envelope
from dhos_connector_api.actions.hl7.merges import Merge
from dhos_connector_api.actions.left_out import LeftOut, as_json
from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.large_rows import carried, in_binary
from dhos_connector_api.messages import statements
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.views import MESSAGE_JOINS, WHOLE, Shown


@dataclass(frozen=True, slots=True)
class Effects:
    """The rows that an accepted message brings with it.

    `key` is None for a message that does not claim its control id (everything but AA). Where the same
    content is held under one of the `other_keys` (none or two), it is not kept either.
    `identifiers` are (type, value) pairs; `envelopes` go to the outbox under `sender`. `left_out` is what
    they do not say.
    """

    key: bytes | None = None
    other_keys: Sequence[bytes] = ()
    content_hash: bytes = b""
    sender: str = ""
    identifiers: Sequence[tuple[str, str]] = ()
    merges: Sequence[Merge] = ()
    envelopes: Sequence[Envelope] = ()
    left_out: Sequence[LeftOut] = ()

    def parameters(self, at: datetime, window: timedelta) -> dict[str, Any]:
        """Return the statement parameters; `window` is how long a key belongs to one message."""
        first, second = self.other_keys or (None, None)
        return {
            "at": at,
            "expired_before": at - window,
            "key": self.key,
            "other_key": first,
            "second_other_key": second,
            "content_hash": self.content_hash,
            "sender": self.sender,
            "identifier_types": [each[0] for each in self.identifiers],
            "identifier_values": [each[1] for each in self.identifiers],
            "merge_types": [each.identifier_type for each in self.merges],
            "merge_surviving": [each.surviving for each in self.merges],
            "merge_old": [each.old for each in self.merges],
            "envelope_ids": [each.id for each in self.envelopes],
            "envelope_keys": [each.routing_key for each in self.envelopes],
            "envelope_bodies": [each.body for each in self.envelopes],
            "left_out": as_json(self.left_out),
        }


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One message to keep. Texts hold neither NUL nor lone surrogates; times are aware."""

    uuid: UUID
    kind: Kind
    at: datetime
    created_by: str | None
    src_description: str
    dst_description: str
    state: str
    correlation_id: str
    received: bytes
    content: str | None = None
    charset: str | None = None
    ack: bytes | None = None
    message_type: str | None = None
    event_code: str | None = None
    sending_application: str | None = None
    sending_facility: str | None = None
    message_control_id: str | None = None
    sent_at: datetime | None = None
    ack_status: str | None = None
    error_code: str | None = None
    error_location: str | None = None
    error_text: str | None = None
    duplicate_of: UUID | None = None
    title: str | None = None
    door: str | None = None
    door_charset: str | None = None
    remarks: str | None = None


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The message that holds a key, with the acknowledgement it was given, and the door it came through."""

    key: bytes
    message_uuid: UUID
    content_hash: bytes
    ack: bytes | None
    ack_status: str | None
    charset: str | None
    door: str | None


_COLUMNS = tuple(each.name for each in fields(NewMessage))


def insert(connection: Connection, message: NewMessage, effects: Effects, *, window: timedelta) -> bool:
    """Keep `message` and its effects; False when another message holds a key of it: nothing was written.

    Waits for a concurrent insert under the same key to commit or to fail.
    """
    parameters = _parameters(message, effects, window)
    inserted = bool(connection.exec_driver_sql(_insert(effects), parameters).scalar_one())
    carried(connection, _size(message, effects))
    return inserted


def insert_all(
    database: Database, pairs: Sequence[tuple[NewMessage, Effects]], *, window: timedelta
) -> list[bool]:
    """Do what `insert` does for each of these, in their order, in one transaction and one trip to the server.

    When it returns they are committed. Where one fails it raises, and none of them is kept.
    """
    with database.pipeline() as wire:
        sent = [wire.execute(_insert(pair[1]), _parameters(*pair, window), prepare=True) for pair in pairs]
        carried(wire, sum(_size(*pair) for pair in pairs))
    return [bool(row and row[0]) for row in (cursor.fetchone() for cursor in sent)]


def _insert(effects: Effects) -> str:
    return statements.INSERT_UNLESS_KNOWN if effects.other_keys else statements.INSERT


def _size(message: NewMessage, effects: Effects) -> int:
    """Bytes of the message, twice (as its text and as its bytes), and of its envelopes."""
    return 2 * len(message.received) + sum(len(each.body) for each in effects.envelopes)


def _parameters(message: NewMessage, effects: Effects, window: timedelta) -> dict[str, Any]:
    parameters = effects.parameters(message.at, window)
    for name in _COLUMNS:
        parameters[name] = getattr(message, name)
    return parameters


def accept(
    connection: Connection,
    uuid: UUID,
    effects: Effects,
    *,
    at: datetime,
    received_at: datetime,
    by: str | None,
    correlation_id: str,
    window: timedelta,
    keeps_duplicate_of: bool = False,
) -> bool:
    """Turn a refused message that came at `received_at` into an accepted one, as a replay does at `at`.

    False when another message holds the key, or it was accepted already: nothing was changed. A
    claim is taken over only if it had run out when the message came: one made since then is the
    sender's corrected copy.
    """
    parameters = effects.parameters(at, window)
    parameters.update(uuid=uuid, by=by, correlation_id=correlation_id, expired_before=received_at - window)
    parameters["keeps_duplicate_of"] = keeps_duplicate_of
    return bool(connection.exec_driver_sql(statements.ACCEPT, parameters).scalar_one())


def key_holder(connection: Connection, key: bytes, *, at: datetime, window: timedelta) -> KeyHolder | None:
    """Return the message that holds `key` at the time `at`, or None."""
    row = connection.exec_driver_sql(
        statements.HOLDER, {"key": key, "expired_before": at - window}
    ).one_or_none()
    if row is None:
        return None
    ack = None if row.ack is None else bytes(row.ack)
    return KeyHolder(
        key, row.message_uuid, bytes(row.content_hash), ack, row.ack_status, row.charset, row.door
    )


def key_holders(
    connection: Connection, keys: Iterable[bytes], *, at: datetime, window: timedelta
) -> list[KeyHolder]:
    """Return the messages that hold these keys at the time `at`, in the keys' order."""
    holders = (key_holder(connection, key, at=at, window=window) for key in keys)
    return [each for each in holders if each is not None]


def count_repeat(connection: Connection, key: bytes, *, at: datetime) -> None:
    """Count that the message that holds `key` was sent again."""
    connection.execute(
        text("UPDATE message_key SET repeats = repeats + 1, repeated_at = :at WHERE key = :key"),
        {"key": key, "at": at},
    )


def get(connection: Connection, uuid: UUID, shown: Shown = WHOLE) -> dict[str, Any] | None:
    """Return the message with that uuid, as much of it as is `shown`, or None."""
    query = f"SELECT {shown.columns} FROM message m {MESSAGE_JOINS} WHERE m.uuid = %(uuid)s"  # noqa: S608
    found = in_binary(connection, query, {"uuid": uuid})
    return found[0] if found else None


def size(connection: Connection, uuid: UUID, shown: Shown = WHOLE) -> int:
    """Return how many bytes of the message `get` reads, about; 0: there is none. Reads none of them."""
    query = f"SELECT {shown.size} FROM message m {MESSAGE_JOINS} WHERE m.uuid = :uuid"  # noqa: S608
    return connection.execute(text(query), {"uuid": uuid}).scalar() or 0


def is_kept(connection: Connection, uuid: UUID) -> bool:
    """Return whether there is a message with that uuid."""
    found = connection.execute(text("SELECT FROM message WHERE uuid = :uuid"), {"uuid": uuid})
    return found.one_or_none() is not None


def mark_processed(connection: Connection, uuid: UUID, *, by: str | None, at: datetime) -> bool:
    """Store that the platform has applied the message; return False when there is no such message.

    Idempotent: the first call sets `processed_at`, later ones change nothing. Nor does any where the
    message goes out: that one is processed when it is delivered.
    """
    updated = connection.execute(
        text(
            "UPDATE message SET is_processed = true, processed_at = :at, modified = :at, modified_by = :by"
            " WHERE uuid = :uuid AND NOT is_processed AND dst_description = 'dhos'"
        ),
        {"uuid": uuid, "by": by, "at": at},
    )
    if updated.rowcount:
        return True
    known = connection.execute(text("SELECT 1 FROM message WHERE uuid = :uuid"), {"uuid": uuid})
    return known.one_or_none() is not None


# In the order of their uuids: of two that mark the same messages one waits, and neither deadlocks.
_MARK_ALL = text("""
WITH held AS (
    SELECT uuid FROM message WHERE uuid = ANY(CAST(:uuids AS uuid[])) AND NOT is_processed
        AND dst_description = 'dhos'
    ORDER BY uuid FOR UPDATE
)
UPDATE message SET is_processed = true, processed_at = :at, modified = :at, modified_by = :by
FROM held WHERE message.uuid = held.uuid AND NOT is_processed
""")


def mark_all_processed(connection: Connection, uuids: Collection[UUID], *, by: str, at: datetime) -> None:
    """Store that these messages were applied, as `mark_processed` does; unknown ones are passed over."""
    if uuids:
        connection.execute(_MARK_ALL, {"uuids": sorted(uuids), "by": by, "at": at})


def mark_unprocessed(connection: Connection, uuid: UUID, *, by: str | None, at: datetime) -> None:
    """Store that more of the message waits to be applied, where the platform had applied all there was."""
    connection.execute(
        text(
            "UPDATE message SET is_processed = false, processed_at = NULL, modified = :at, modified_by = :by"
            " WHERE uuid = :uuid AND is_processed"
        ),
        {"uuid": uuid, "by": by, "at": at},
    )


def note_left_out(connection: Connection, uuid: UUID, left_out: Sequence[LeftOut]) -> None:
    """Store what is left out of an accepted message as it reads now: more or less than when it came."""
    connection.execute(
        text("UPDATE message SET left_out = CAST(:left_out AS jsonb) WHERE uuid = :uuid"),
        {"uuid": uuid, "left_out": as_json(left_out)},
    )


def lock(connection: Connection, uuids: Iterable[UUID]) -> int:
    """Lock these messages, in the order of their uuids, until this transaction ends; return how many."""
    return connection.execute(
        text("SELECT FROM message WHERE uuid = ANY(CAST(:uuids AS uuid[])) ORDER BY uuid FOR NO KEY UPDATE"),
        {"uuids": list(set(uuids))},
    ).rowcount


def missing(connection: Connection, uuids: Collection[UUID]) -> set[UUID]:
    """Return those of these messages that are not there."""
    found = connection.execute(
        text("SELECT uuid FROM message WHERE uuid = ANY(CAST(:uuids AS uuid[]))"), {"uuids": list(uuids)}
    )
    return set(uuids) - set(found.scalars())


#: Late messages that are looked at, the newest: the number is asked for at every scrape.
MOST_COUNTED = 50_000


def late(connection: Connection, *, before: datetime, only: Collection[str] | None = None) -> int:
    """Return how many messages from before that time are accepted and not processed.

    Of the newest MOST_COUNTED of them; with `only` those whose event is one of these (`ADT_A01`).
    """
    count: int = connection.execute(
        text(
            "SELECT count(*) FILTER (WHERE CAST(:only AS text[]) IS NULL OR event_code = ANY(:only)) FROM ("
            "SELECT event_code FROM message WHERE state = 'accepted' AND NOT is_processed"
            " AND uuid < :before ORDER BY uuid DESC LIMIT :most) AS newest"
        ),
        {
            "before": clock.first_uuid(before),
            "most": MOST_COUNTED,
            "only": None if only is None else sorted(only),
        },
    ).scalar_one()
    return count

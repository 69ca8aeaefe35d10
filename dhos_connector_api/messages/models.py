"""The tables of the message store.

The bodies are pruned by month and PostgreSQL allows no UNIQUE across partitions, so the facts
(`message`), the duplicate key (`message_key`) and the search index (`message_identifier`) are plain
tables, and only `message_body` is partitioned. There are no foreign keys between them: one
statement writes all rows of a message or none (`store.insert`), and each would cost an index
look-up per row on the hot path. `uuid` is a version 7 UUID: its order is the order of arrival.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

#: A B-tree entry has to stay under a third of a page; a control id may be any length.
INDEXED_LENGTH = 255
_TIME = TIMESTAMP(timezone=True)


class MessageRow(db.Model):  # type: ignore[name-defined,misc]
    """One message that came in or goes out: what the Connector knows about it."""

    __tablename__ = "message"

    uuid: Mapped[UUID] = mapped_column(primary_key=True)
    # See `kinds`; None: kept by a build that knew of none, see `views`.
    kind: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str | None] = mapped_column(Text)
    modified: Mapped[datetime] = mapped_column(_TIME)
    modified_by: Mapped[str | None] = mapped_column(Text)
    src_description: Mapped[str] = mapped_column(Text)
    dst_description: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)  # one of `states.MessageState`
    message_type: Mapped[str | None] = mapped_column(Text)  # MSH-9 as sent
    event_code: Mapped[str | None] = mapped_column(Text)  # ADT_A01
    sending_application: Mapped[str | None] = mapped_column(Text)
    sending_facility: Mapped[str | None] = mapped_column(Text)
    message_control_id: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(_TIME)  # MSH-7
    ack_status: Mapped[str | None] = mapped_column(Text)  # MSA-1 as answered
    error_code: Mapped[str | None] = mapped_column(Text)  # HL7 table 0357
    error_location: Mapped[str | None] = mapped_column(Text)
    error_text: Mapped[str | None] = mapped_column(Text)
    key: Mapped[bytes | None] = mapped_column(LargeBinary)  # the duplicate key it claimed, or would have
    duplicate_of: Mapped[UUID | None] = mapped_column()  # the message that holds the control id
    is_processed: Mapped[bool] = mapped_column(server_default=text("false"))
    processed_at: Mapped[datetime | None] = mapped_column(_TIME)
    replayed_at: Mapped[datetime | None] = mapped_column(_TIME)
    correlation_id: Mapped[str] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)  # of a document
    # The way in, as `intake.door_names` writes it; None: it goes out, or came before this was noted.
    door: Mapped[str | None] = mapped_column(Text)
    # The character set its door named (the charset of a Content-Type), for a replay.
    door_charset: Mapped[str | None] = mapped_column(Text)
    # What was read otherwise than the message says.
    remarks: Mapped[str | None] = mapped_column(Text)
    # `actions.left_out`, of what was accepted; None: nothing, or it came before this was noted.
    left_out: Mapped[list[dict[str, str]] | None] = mapped_column(JSONB)

    __table_args__ = (
        Index("message_control_id", func.left(message_control_id, INDEXED_LENGTH), uuid),
        Index(
            "message_unprocessed",
            uuid,
            postgresql_where=text("state = 'accepted' AND NOT is_processed"),
        ),
    )


class MessageBodyRow(db.Model):  # type: ignore[name-defined,misc]
    """The bytes of a message as received, its text, and the acknowledgement as sent."""

    __tablename__ = "message_body"

    message_uuid: Mapped[UUID] = mapped_column(primary_key=True)
    created: Mapped[datetime] = mapped_column(_TIME, primary_key=True)
    received: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[str | None] = mapped_column(Text)  # None: bytes that are no text
    charset: Mapped[str | None] = mapped_column(Text)
    ack: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = ({"postgresql_partition_by": "RANGE (created)"},)


class MessageKeyRow(db.Model):  # type: ignore[name-defined,misc]
    """A duplicate key, and the message that holds it: one for every message answered AA."""

    __tablename__ = "message_key"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)  # SHA-256 of sender + MSH-10
    message_uuid: Mapped[UUID] = mapped_column()
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256 of the content without MSH-7
    claimed_at: Mapped[datetime] = mapped_column(_TIME)
    reuses: Mapped[int] = mapped_column(server_default=text("0"))  # claimed anew after the window
    repeats: Mapped[int] = mapped_column(server_default=text("0"))  # same message sent again
    repeated_at: Mapped[datetime | None] = mapped_column(_TIME)


class MessageIdentifierRow(db.Model):  # type: ignore[name-defined,misc]
    """Under which patient or visit identifiers a message is found."""

    __tablename__ = "message_identifier"

    identifier_type: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    message_uuid: Mapped[UUID] = mapped_column(primary_key=True)


class IdentifierMergeRow(db.Model):  # type: ignore[name-defined,misc]
    """A merge the hospital told us of: what was known as `old` is now known as `surviving`."""

    __tablename__ = "identifier_merge"

    identifier_type: Mapped[str] = mapped_column(Text, primary_key=True)
    surviving: Mapped[str] = mapped_column(Text, primary_key=True)
    old: Mapped[str] = mapped_column(Text, primary_key=True)
    message_uuid: Mapped[UUID] = mapped_column()

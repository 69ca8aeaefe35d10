"""The audit trail: what was done is added, in the transaction of the change, and never altered.

Nothing here commits: an entry stands or falls with what it tells of.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.db.months import partition_name
from dhos_connector_api.px.audit.entry import COMMAND, SYSTEM, Entry

__all__ = ["COMMAND", "SYSTEM", "Entry", "drop", "lock_seals", "record", "store_seal"]

_RECORD = text(
    "INSERT INTO audit_event (id, at, actor_kind, actor_id, action, object_type, object_id, hospital_id,"
    " request_id, fields) VALUES (:id, :at, :actor_kind, :actor_id, :action, :object_type, :object_id,"
    " :hospital_id, :request_id, :fields)"
)
_LOCK = text("SELECT pg_advisory_xact_lock(7246015)")
_SEAL = text(
    "INSERT INTO audit_seal (month, number, epoch, from_txid, to_txid, rows, last_id, sealed_at, previous,"
    " hash, digests) VALUES (:month, :number, :epoch, :from_txid, :to_txid, :rows, :last_id, :sealed_at,"
    " :previous, :hash, :digests)"
)
_DROPPED = text(
    "INSERT INTO audit_dropped (month, rows, number, hash, dropped_at)"
    " SELECT month, (SELECT sum(rows) FROM audit_seal WHERE month = :month), number, hash, :at"
    " FROM audit_seal WHERE month = :month ORDER BY number DESC LIMIT 1"
)


def record(connection: Connection, entry: Entry) -> None:
    """Store the entry, in the transaction of what it tells of. Waits for nobody."""
    at = clock.now()
    connection.execute(
        _RECORD,
        {
            "id": clock.new_uuid(at),
            "at": at,
            "actor_kind": entry.actor_kind,
            "actor_id": entry.actor_id,
            "action": entry.action,
            "object_type": entry.object_type,
            "object_id": entry.object_id,
            "hospital_id": entry.hospital_id,
            "request_id": entry.request_id,
            "fields": list(entry.fields),
        },
    )


def lock_seals(connection: Connection) -> None:
    """Wait until nobody else seals or drops, and keep others waiting until the transaction ends."""
    connection.execute(_LOCK)


def store_seal(connection: Connection, values: dict[str, Any]) -> None:
    """Store a seal of these values by column."""
    connection.execute(_SEAL, values)


def drop(connection: Connection, month: date, at: datetime) -> None:
    """Remove the partition of a month, and store the last hash of its chain and how many rows were sealed.

    Waits for locks at most a second.
    """
    connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    connection.execute(_DROPPED, {"month": month, "at": at})
    first = datetime(month.year, month.month, 1)  # noqa: DTZ001  its year and month make the name
    connection.execute(text(f"DROP TABLE {partition_name('audit_event', first)}"))

"""The mappings: what the codes of a source mean here, in a table that people edit.

Codes and sources are compared trimmed and without case. Nothing here commits.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.errors import NotFound

#: Mappings of one page.
MOST_LISTED = 10_000
_COLUMNS = "id, source_system, event_code, canonical_code, created, modified, modified_by"


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mappings of some sources, as they are now: (source, code) in lower case -> canonical code."""

    known: Mapping[tuple[str, str], str | None]

    def meaning(self, source: str, code: str, default: str | None) -> str | None:
        """Return what that code means, `default` where no mapping says otherwise; None: it is ignored."""
        return self.known.get((source.strip().lower(), code.strip().lower()), default)


def load(connection: Connection, sources: Collection[str]) -> Mappings:
    """Return the mappings of these sources."""
    rows = connection.exec_driver_sql(
        "SELECT lower(source_system), lower(event_code), canonical_code FROM event_mapping"
        " WHERE lower(source_system) = ANY(%(sources)s::text[])",
        {"sources": [each.strip().lower() for each in sources]},
    )
    return Mappings({(source, code): canonical for source, code, canonical in rows})


def listed(
    connection: Connection, source: str | None, *, after: UUID | None = None, limit: int = MOST_LISTED
) -> Sequence[RowMapping]:
    """Return up to `limit` mappings, of all sources or of one, in the order of source and code.

    `after` is the last one of the page before. Raises NotFound when it has been deleted since.
    """
    query = f"""
        SELECT {_COLUMNS} FROM event_mapping
        WHERE (CAST(:source AS text) IS NULL OR lower(source_system) = lower(:source))
            AND (CAST(:after AS uuid) IS NULL OR (lower(source_system), lower(event_code)) >
                (SELECT lower(source_system), lower(event_code) FROM event_mapping WHERE id = :after))
        ORDER BY lower(source_system), lower(event_code) LIMIT :limit
    """  # noqa: S608
    if after is not None:
        get(connection, after)
    values = {"source": source, "after": after, "limit": limit}
    return connection.execute(text(query), values).mappings().all()


def get(connection: Connection, id_: UUID) -> RowMapping:
    """Return the mapping with that id. Raises NotFound."""
    query = f"SELECT {_COLUMNS} FROM event_mapping WHERE id = :id"  # noqa: S608
    row = connection.execute(text(query), {"id": id_}).mappings().one_or_none()
    if row is None:
        raise NotFound("there is no mapping with that id")
    return row


def put(
    connection: Connection,
    id_: UUID,
    *,
    source_system: str,
    event_code: str,
    canonical_code: str | None,
    at: datetime,
    by: str | None,
) -> RowMapping:
    """Store the mapping of that code, under `id_` if it is new; return the mapping as it is now."""
    query = f"""
        INSERT INTO event_mapping
            (id, source_system, event_code, canonical_code, created, modified, modified_by)
        VALUES (:id, :source_system, :event_code, :canonical_code, :at, :at, :by)
        ON CONFLICT (lower(source_system), lower(event_code)) DO UPDATE
            SET canonical_code = excluded.canonical_code, modified = excluded.modified,
                modified_by = excluded.modified_by
        RETURNING {_COLUMNS}
    """  # noqa: S608
    values = {
        "id": id_,
        "source_system": source_system.strip(),
        "event_code": event_code.strip(),
        "canonical_code": canonical_code,
        "at": at,
        "by": by,
    }
    return connection.execute(text(query), values).mappings().one()


def delete(connection: Connection, id_: UUID) -> None:
    """Delete the mapping: its code means what it meant before. Raises NotFound."""
    if not connection.execute(text("DELETE FROM event_mapping WHERE id = :id"), {"id": id_}).rowcount:
        raise NotFound("there is no mapping with that id")

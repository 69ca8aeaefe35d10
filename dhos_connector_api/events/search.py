"""Finding events: by status, source, code, encounter; page by page, newest first or as asked.

An event's status follows from its envelope in the `outbox` and from its `message`: a search by status
has to join them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.db.large_rows import carried
from dhos_connector_api.db.listing import MOST_COUNTED
from dhos_connector_api.db.within_bytes import PAGE_BYTES, measured_within
from dhos_connector_api.events.states import EventState, EventStatus
from dhos_connector_api.events.views import COLUMNS, JOINS, PAYLOAD, PAYLOAD_SIZE

_WAITS = "EXISTS (SELECT FROM outbox w WHERE w.id = e.envelope_id AND w.published_at IS NULL)"
_PUBLISHED = f"e.state = 'accepted' AND NOT {_WAITS}"
#: `views.STATUS`, each value as a condition of its own that an index can answer from the rare side.
_STATUS = {
    EventStatus.IGNORED: f"e.state = '{EventState.IGNORED}'",
    EventStatus.FAILED: "e.envelope_id IN (SELECT id FROM outbox WHERE dead_at IS NOT NULL)",
    EventStatus.PENDING: """e.state = 'accepted' AND EXISTS (
        SELECT FROM outbox w WHERE w.id = e.envelope_id AND w.published_at IS NULL AND w.dead_at IS NULL)""",
    EventStatus.PROCESSED: f"""{_PUBLISHED} AND EXISTS (
        SELECT FROM message p WHERE p.uuid = e.message_uuid AND p.is_processed)""",
    EventStatus.PROCESSING: f"""{_PUBLISHED} AND EXISTS (
        SELECT FROM message p
        WHERE p.uuid = e.message_uuid AND p.state = 'accepted' AND NOT p.is_processed)""",
}
_CONDITIONS = {
    "source_system": "lower(e.source_system) = lower(:source_system)",
    "own_source": "lower(e.source_system) = lower(:own_source)",
    "event_code": "lower(e.event_code) = lower(:event_code)",
    "encounter_id": "lower(e.encounter_id) = lower(:encounter_id) AND e.encounter_id = :encounter_id",
    "search": "(lower(e.encounter_id) LIKE :search OR lower(e.patient_identifier) LIKE :search"
    " OR lower(e.event_code) LIKE :search)",
}
_ORDERS = {
    "-received_at": "e.id DESC",
    "received_at": "e.id",
    "-occurred_at": "e.occurred_at DESC NULLS LAST, e.id DESC",
    "occurred_at": "e.occurred_at NULLS LAST, e.id",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Events of one page, and how many there are in all (up to MOST_COUNTED); `more` follow the last one."""

    rows: Sequence[RowMapping]
    count: int
    more: bool


def find(
    connection: Connection,
    filters: dict[str, str | None],
    *,
    ordering: str = "-received_at",
    page: int = 1,
    page_size: int = 50,
    skip: int = 0,
) -> Page:
    """Return the page of the events that fit all `filters`, but for the first `skip` of it.

    These are status, source_system, event_code, encounter_id, search (a beginning), and own_source (what
    the caller may see); one that is None does not count. `ordering` is one of received_at and
    occurred_at, with a minus for the newest first; events without a time come last either way.
    """
    given: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    conditions = [_CONDITIONS[name] for name in given if name != "status"]
    if status := given.pop("status", None):
        conditions.append(_STATUS[EventStatus(status)])
    if "search" in given:
        given["search"] = _beginning(given["search"])
    where = f"FROM integration_event e WHERE {' AND '.join(conditions) or 'true'}"
    count = connection.execute(
        text(f"SELECT count(*) FROM (SELECT {where} LIMIT :most) AS found"),  # noqa: S608
        {**given, "most": MOST_COUNTED},
    ).scalar_one()
    size = page_size - skip
    values = {**given, "limit": size, "offset": (page - 1) * page_size + skip}
    listed = f"SELECT e.id {where} ORDER BY {_ORDERS[ordering]} LIMIT :limit + 1 OFFSET :offset"
    rows = connection.execute(
        text(
            f"SELECT {COLUMNS} FROM ({listed}) page JOIN integration_event e USING (id) {JOINS}"  # noqa: S608
            f" ORDER BY {_ORDERS[ordering]}"
        ),
        values,
    )
    found = rows.mappings().all()
    return Page(found[:size], count, len(found) > size)


_MEASURED = f"""
{measured_within("SELECT unnest(CAST(:ids AS uuid[]))", table="integration_event", size=PAYLOAD_SIZE)}
SELECT bytes FROM chosen ORDER BY place
"""  # noqa: S608
_PAYLOADS = f"SELECT e.id, {PAYLOAD} FROM integration_event e WHERE e.id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608


def payload_sizes(connection: Connection, ids: Sequence[UUID]) -> list[int]:
    """Return how many bytes the payloads of the first of these events have, each with those before it.

    They are as many as have the bytes of a page, and the first whatever its size.
    """
    values = {"ids": list(ids), "limit": len(ids), "most_bytes": PAGE_BYTES}
    return list(connection.execute(text(_MEASURED), values).scalars())


def with_payloads(connection: Connection, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """Return these rows, each with its `payload_json`, a JSON text."""
    ids = [row["id"] for row in rows]
    listed: Any = connection.execute(text(_PAYLOADS), {"ids": ids}).all()
    found: dict[UUID, str] = dict(listed)
    carried(connection, sum(len(each) for each in found.values()))
    return [{**row, "payload_json": found[row["id"]]} for row in rows]


def _beginning(given: str) -> str:
    """A LIKE pattern for what begins so, without case."""
    escaped = given.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}%"

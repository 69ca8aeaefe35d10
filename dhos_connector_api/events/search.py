"""Finding events: by status, source, code, encounter; page by page, newest first or as asked.

An event's status follows from its envelope in the `outbox` and from its `message`: a search by status
has to join them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.db.within_bytes import PAGE_BYTES, measured_within
from dhos_connector_api.events.states import EventState, EventStatus
from dhos_connector_api.events.views import COLUMNS, JOINS, PAYLOAD, PAYLOAD_SIZE

#: Counting a million rows would take a second at every page; nobody pages that far.
MOST_COUNTED = 10_000

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
    payloads: bool = False,
) -> Page:
    """Return the page of the events that fit all `filters`, but for the first `skip` of it.

    These are status, source_system, event_code, encounter_id, search (a beginning), and own_source (what
    the caller may see); one that is None does not count. `ordering` is one of received_at and
    occurred_at, with a minus for the newest first; events without a time come last either way. With
    `payloads` rows have `payload_json`, a JSON text, and the page ends where these are as long as it may be.
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
    order = _ORDERS[ordering]
    listed = f"SELECT e.id {where} ORDER BY {order} LIMIT :limit + 1 OFFSET :offset"
    size, offset = page_size - skip, (page - 1) * page_size + skip
    rows = connection.execute(
        text(_with_payloads(listed) if payloads else _without_payloads(listed, order)),
        {**given, "limit": size, "offset": offset, "most_bytes": PAGE_BYTES},
    )
    found = rows.mappings().all()
    more = bool(found) and found[0]["candidates"] > min(size, len(found))
    return Page(found[:size], count, more)


def _without_payloads(listed: str, order: str) -> str:
    """The ids of the page first: rows that are passed over need not be read; then what became of them."""
    return f"""
        SELECT {COLUMNS}, count(*) OVER () AS candidates
        FROM ({listed}) page JOIN integration_event e USING (id) {JOINS} ORDER BY {order}
    """  # noqa: S608


def _with_payloads(listed: str) -> str:
    """Only as many as have the bytes of a page, with their payloads."""
    return f"""
        {measured_within(listed, table="integration_event", size=PAYLOAD_SIZE)}
        SELECT {COLUMNS}, {PAYLOAD}, chosen.candidates
        FROM chosen JOIN integration_event e USING (id) {JOINS} ORDER BY chosen.place
    """  # noqa: S608


def _beginning(given: str) -> str:
    """A LIKE pattern for what begins so, without case."""
    escaped = given.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}%"

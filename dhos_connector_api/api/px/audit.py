"""The audit trail, over HTTP: for those who may read it, and nobody changes it here."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import flask
from marshmallow import Schema, fields

from dhos_connector_api.api.px import asking
from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import InvalidFields
from dhos_connector_api.http.dumping import dumper
from dhos_connector_api.http.numbered_pages import Page, numbered_page, uuid_filter
from dhos_connector_api.http.paging import json_text
from dhos_connector_api.px.audit import listing
from dhos_connector_api.px.audit.listing import Filters
from dhos_connector_api.px.audit.models import AuditEventRow
from dhos_connector_api.px.audit.written import lines

_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


class _EntrySchema(Schema):
    """An entry."""

    id = fields.UUID()
    at = Instant()
    actor_kind = fields.String()
    actor = fields.UUID(attribute="actor_id")
    action = fields.String()
    object_type = fields.String()
    object_id = fields.UUID()
    hospital = fields.UUID(attribute="hospital_id")
    request_id = fields.String()
    changed = fields.List(fields.String(), attribute="fields", data_key="fields")


_dump = dumper(_EntrySchema())


def list_audit_events(page: int, page_size: int, ordering: str, **query: str | None) -> flask.Response:
    """Answer with one page of entries."""
    wanted, filters, seen = Page(page, page_size), _filters(query), _seen()
    newest_first = ordering.startswith("-")
    with services().database.statements() as connection:
        count = listing.count(connection, filters, seen)
        rows = listing.page(
            connection, filters, seen, newest_first=newest_first, offset=wanted.offset, limit=wanted.size
        )
    texts = (json_text(_dump(row)) for row in rows)
    return numbered_page(texts, count, wanted, {**query, "ordering": ordering}, asking.parts().public_url)


def export_audit_events(limit: int, cursor: str | None = None, **query: str | None) -> flask.Response:
    """Answer with entries as a file, oldest first; `Link` names the next part where there is one."""
    form, last = query.pop("format", None) or "csv", _cursor(cursor)
    filters, seen = _filters(query), _seen()
    if filters.since is not None and filters.until is not None and filters.since >= filters.until:
        raise InvalidFields({"to": ["must be after from"]})
    with services().database.statements() as connection:
        rows = listing.after(connection, filters, seen, last, limit + 1)
    response = flask.Response("".join(lines(rows[:limit], form)), content_type=_TYPES[form])
    if len(rows) > limit:
        given = {name: value for name, value in query.items() if value is not None}
        more = {**given, "format": form, "limit": limit, "cursor": _cursor_of(rows[limit - 1])}
        response.headers["Link"] = f'<?{urlencode(more)}>; rel="next"'
    return response


def _seen() -> Any:
    return asking.scope().condition(AuditEventRow.hospital_id)


def _filters(query: dict[str, str | None]) -> Filters:
    return Filters(
        uuid_filter("actor", query.get("actor")),
        query.get("action"),
        query.get("object_type"),
        uuid_filter("object_id", query.get("object_id")),
        uuid_filter("hospital", query.get("hospital")),
        _time("from", query.get("from")),
        _time("to", query.get("to")),
    )


def _time(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidFields({name: ["must be a time, as 2026-03-01T08:00:00Z"]}) from None


def _cursor_of(row: Any) -> str:
    return f"{row['at'].astimezone(UTC):%Y%m%dT%H%M%S.%f}-{row['id'].hex}"


def _cursor(text: str | None) -> tuple[datetime, UUID] | None:
    if text is None:
        return None
    try:
        at, _, id_ = text.partition("-")
        return datetime.strptime(at, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), UUID(id_)
    except ValueError:
        raise InvalidFields({"cursor": ["is no cursor of ours"]}) from None

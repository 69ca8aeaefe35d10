"""The tables of templates of journeys and of stages. Never commits.

`seen` is the condition under which somebody sees a row (`people.scope`); what he does not see is not there.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, select, update

from dhos_connector_api.db import listing
from dhos_connector_api.db.listing import Part
from dhos_connector_api.errors import NotFound
from dhos_connector_api.px.journeys.models import JourneyTemplateVersionRow
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE
from dhos_connector_api.px.organizations.models import HospitalRow
from dhos_connector_api.px.organizations.resources import Resource
from dhos_connector_api.px.organizations.search import matches, words_of
from dhos_connector_api.px.organizations.store import Row, Wanted

_TEMPLATE, _STAGE = TEMPLATE.table, STAGE.table
_HOSPITAL, _VERSION = HospitalRow.__table__, JourneyTemplateVersionRow.__table__
#: Columns that are for the database alone.
_INNER = frozenset({"search"})


def count(connection: Connection, resource: Resource, wanted: Wanted, seen: ColumnElement[bool]) -> int:
    """Return how many rows are wanted and seen, up to `listing.MOST_COUNTED`."""
    found = _found(resource, wanted)
    conditions = [_filters(resource, wanted, seen), *([] if found is None else [found])]
    return listing.counted(connection, select(resource.table.c.id).where(*conditions))


def listed(
    connection: Connection,
    resource: Resource,
    wanted: Wanted,
    seen: ColumnElement[bool],
    *,
    offset: int,
    limit: int,
    of: int | None = None,
) -> Sequence[Row]:
    """Return the rows of one page; `of` is what `count` says of them, where that is known."""
    table = resource.table
    keys = [table.c[name] for name in (*resource.orders[wanted.order], "id")]
    part = Part(offset, limit, of, wanted.descending)
    where, found = _filters(resource, wanted, seen), _found(resource, wanted)
    chosen = listing.ids_of_page(table.c.id, keys, part, where=where, found=found).subquery()
    order = [each.desc() if wanted.descending else each.asc() for each in keys]
    query = _read(resource).join(chosen, chosen.c.id == table.c.id).order_by(*order)
    return connection.execute(query).mappings().all()


def get(connection: Connection, resource: Resource, id_: UUID, seen: ColumnElement[bool]) -> Row:
    """Return one row. Raises NotFound where it is not there, or not seen."""
    query = _read(resource).where(resource.table.c.id == id_, seen)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(resource.unknown)
    return row


def stages_of(connection: Connection, template_ids: Collection[UUID], *, but_inactive: bool) -> list[Row]:
    """Return the stages of these templates in their order, without inactive ones where that is asked for."""
    query = _read(STAGE).where(_STAGE.c.journey_template_id.in_(template_ids))
    if but_inactive:
        query = query.where(_STAGE.c.is_active)
    query = query.order_by(_STAGE.c.journey_template_id, _STAGE.c.position, _STAGE.c.id)
    return list(connection.execute(query).mappings())


def templates_of(connection: Connection, hospital_id: UUID) -> Sequence[Row]:
    """Return all templates of a hospital, by type and name."""
    query = _read(TEMPLATE).where(_TEMPLATE.c.hospital_id == hospital_id)
    query = query.order_by(_TEMPLATE.c.journey_type, _TEMPLATE.c.name, _TEMPLATE.c.id)
    return connection.execute(query).mappings().all()


def by_name(connection: Connection, hospital_id: UUID, journey_type: str, name: str) -> Row | None:
    """Return the oldest template of that name; None: there is none."""
    query = _read(TEMPLATE).where(
        _TEMPLATE.c.hospital_id == hospital_id,
        _TEMPLATE.c.journey_type == journey_type,
        _TEMPLATE.c.name == name,
    )
    return connection.execute(query.order_by(_TEMPLATE.c.id).limit(1)).mappings().one_or_none()


def default(connection: Connection, hospital_id: UUID, journey_type: str) -> Row | None:
    """Return the default template of a hospital for a type; None: there is none."""
    query = _read(TEMPLATE).where(
        _TEMPLATE.c.hospital_id == hospital_id,
        _TEMPLATE.c.journey_type == journey_type,
        _TEMPLATE.c.is_default & _TEMPLATE.c.is_active,
    )
    return connection.execute(query).mappings().one_or_none()


def by_code(connection: Connection, template_id: UUID, code: str) -> Row | None:
    """Return the stage of that code; None: there is none."""
    query = _read(STAGE).where(_STAGE.c.journey_template_id == template_id, _STAGE.c.code == code)
    return connection.execute(query).mappings().one_or_none()


def lock(connection: Connection, template_id: UUID) -> Row | None:
    """Return a template as it stays until the transaction ends; None: there is none."""
    query = select(_TEMPLATE).where(_TEMPLATE.c.id == template_id).with_for_update(key_share=True)
    return connection.execute(query).mappings().one_or_none()


def add(
    connection: Connection, resource: Resource, id_: UUID, values: Mapping[str, Any], *, at: datetime
) -> None:
    """Store a new row of these values by column."""
    made = {"id": id_, "created_at": at, "updated_at": at, "search": _words(resource, values)}
    connection.execute(insert(resource.table).values(**values, **made))


def change(
    connection: Connection, resource: Resource, id_: UUID, values: Mapping[str, Any], *, at: datetime
) -> None:
    """Set all these values, by column, of a row that is locked."""
    table = resource.table
    made = {"updated_at": at, "version": table.c.version + 1, "search": _words(resource, values)}
    connection.execute(update(table).where(table.c.id == id_).values(**values, **made))


def touch(connection: Connection, template_id: UUID, *, at: datetime) -> None:
    """Count a change of a template's stages as one of its own: they are part of what is shown of it."""
    made = {"updated_at": at, "version": _TEMPLATE.c.version + 1}
    connection.execute(update(_TEMPLATE).where(_TEMPLATE.c.id == template_id).values(**made))


def set_version(connection: Connection, template_id: UUID, version_id: UUID) -> None:
    """Make a version of a template its current one."""
    statement = update(_TEMPLATE).where(_TEMPLATE.c.id == template_id)
    connection.execute(statement.values(current_version_id=version_id))


def _words(resource: Resource, values: Mapping[str, Any]) -> ColumnElement[Any]:
    return words_of(*(values[name] for name in resource.search))


def _filters(resource: Resource, wanted: Wanted, seen: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(seen, *(resource.table.c[name] == value for name, value in wanted.equal.items()))


def _found(resource: Resource, wanted: Wanted) -> ColumnElement[bool] | None:
    """Return the condition of the search; None: there is none."""
    return None if wanted.search is None else matches(resource.table.c.search, wanted.search)


def _read(resource: Resource) -> Select[Any]:
    """Return the query for whole rows, and what belongs to them."""
    columns = [each for each in resource.table.c if each.name not in _INNER]
    if resource is STAGE:
        return (
            select(*columns, _TEMPLATE.c.name.label("journey_template_name"))
            .select_from(_STAGE)
            .join(_TEMPLATE, _TEMPLATE.c.id == _STAGE.c.journey_template_id)
        )
    stages = select(func.count()).where(_STAGE.c.journey_template_id == _TEMPLATE.c.id, _STAGE.c.is_active)
    named = (_HOSPITAL.c.name.label("hospital_name"), _HOSPITAL.c.code.label("hospital_code"))
    counted = (stages.scalar_subquery().label("stage_count"), _VERSION.c.number.label("current_version"))
    return (
        select(*columns, *named, *counted)
        .select_from(_TEMPLATE)
        .join(_HOSPITAL, _HOSPITAL.c.id == _TEMPLATE.c.hospital_id)
        .outerjoin(_VERSION, _VERSION.c.id == _TEMPLATE.c.current_version_id)
    )

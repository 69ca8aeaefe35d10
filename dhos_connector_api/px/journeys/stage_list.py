"""Stages of journeys as people read them: a list, one, and those of one journey. Never commits.

`seen` is the condition under which somebody sees the journey of a stage: on HOSPITAL_ID, or `of_journeys`.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from dhos_connector_api.db import listing
from dhos_connector_api.db.listing import Part
from dhos_connector_api.px.journeys.journey_list import JOURNEY, Found
from dhos_connector_api.px.journeys.models import StageInstanceRow
from dhos_connector_api.px.organizations import shown

_STAGE = StageInstanceRow.__table__
#: Column of whose a stage is, for a scope that reaches whole hospitals.
HOSPITAL_ID = _STAGE.c.hospital_id
_EQUAL = {"stage_template": _STAGE.c.stage_template_id, "status": _STAGE.c.status}
_SHOWN = (
    *_STAGE.c,
    shown.department_name(_STAGE.c.department_id).label("department_name"),
    shown.physician_name(_STAGE.c.physician_id).label("physician_name"),
    select(JOURNEY.c.encounter_id)
    .where(JOURNEY.c.id == _STAGE.c.journey_id)
    .correlate(_STAGE)
    .scalar_subquery()
    .label("encounter_id"),
)


def of_journeys(seen: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a stage is of a journey that is seen (`journey_list`)."""
    found: ColumnElement[bool] = _STAGE.c.journey_id.in_(select(JOURNEY.c.id).where(seen))
    return found


def listed(
    connection: Connection, seen: ColumnElement[bool], filters: Mapping[str, Any], offset: int, limit: int
) -> Found:
    """Return the page of the stages that fit all `filters` that are not None, and how many do.

    Of one journey (`journey_instance`; a merged one is that which it is merged into) they come in their
    order; else the newest come first. One row more than `limit` where the count does not say whether any
    follow.
    """
    conditions = [seen] + [
        column == filters[name] for name, column in _EQUAL.items() if filters.get(name) is not None
    ]
    journey = filters.get("journey_instance")
    if journey is not None:
        conditions.append(_STAGE.c.journey_id == _survivor(journey))
    keys = [_STAGE.c.created_at if journey is None else _STAGE.c.position, _STAGE.c.id]
    where = and_(*conditions)
    count = listing.counted(connection, select(_STAGE.c.id).where(where))
    part = Part(offset, limit + (count >= listing.MOST_COUNTED), count, descending=journey is None)
    ids = listing.ids_of_page(_STAGE.c.id, keys, part, where=where).subquery()
    order = [each.desc() if part.descending else each.asc() for each in keys]
    query = _read().join(ids, ids.c.id == _STAGE.c.id).order_by(*order)
    return Found(connection.execute(query).mappings().all(), count)


def get(connection: Connection, id_: UUID, seen: ColumnElement[bool]) -> Mapping[Any, Any] | None:
    """Return one stage, with its journey's version as `version`; None where it is not there, or not seen."""
    version = select(JOURNEY.c.version).where(JOURNEY.c.id == _STAGE.c.journey_id).correlate(_STAGE)
    query = _read().add_columns(version.scalar_subquery().label("version"))
    return connection.execute(query.where(_STAGE.c.id == id_, seen)).mappings().one_or_none()


def of_journey(connection: Connection, journey_id: UUID) -> Sequence[Mapping[Any, Any]]:
    """Return the stages of a journey in their order."""
    query = select(_STAGE).where(_STAGE.c.journey_id == journey_id)
    return connection.execute(query.order_by(_STAGE.c.position, _STAGE.c.id)).mappings().all()


def _read() -> Select[Any]:
    return select(*_SHOWN).select_from(_STAGE)


def _survivor(journey_id: UUID) -> Any:
    """The id of the journey that this one is merged into, or its own."""
    query = select(func.coalesce(JOURNEY.c.merged_into, JOURNEY.c.id)).where(JOURNEY.c.id == journey_id)
    return query.scalar_subquery()

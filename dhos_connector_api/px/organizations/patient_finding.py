"""Queries for the ids under which things were told of a patient, by his numbers or names.

For searches of rooms above, which join them with their own rows: whoever was merged is found by what the one
he is merged into is called, and by his own numbers.
"""

import re
from typing import Any

from sqlalchemy import ColumnElement, Select, cast, func, select, union
from sqlalchemy.dialects.postgresql import TSQUERY

from dhos_connector_api.px.organizations.models import PatientIdentifierRow, PatientRow
from dhos_connector_api.px.organizations.patient_names import Names
from dhos_connector_api.px.organizations.shown import with_merged

_P = PatientRow.__table__
_PRIOR = _P.alias("prior")
_NUMBER = PatientIdentifierRow.__table__
_BETWEEN = re.compile(r"[\s.\-]+")


def spellings(number: str) -> set[str]:
    """Return the ways a number may be kept: as it is, without what is between its parts, in either case."""
    plain = _BETWEEN.sub("", number)
    return {each for it in (number, plain) for each in (it, it.upper(), it.lower())}


def by_identifier(number: str) -> Select[Any]:
    """Return the query for the patients with that number, and all who are merged with them."""
    known = spellings(number)
    told = union(
        select(_NUMBER.c.patient_id.label("id")).where(_NUMBER.c.value.in_(known)),
        select(_P.c.id).where(_P.c.mrn.in_(known)),
    ).subquery()
    survivor = func.coalesce(_PRIOR.c.merged_into, _PRIOR.c.id)
    return with_merged(select(survivor.label("id")).join(told, told.c.id == _PRIOR.c.id).subquery())


def by_names(names: Names) -> Select[Any]:
    """Return the query for the patients who are called so, and all who are merged with them."""
    found = _P.c.search.op("@@")(cast(names.indexed, TSQUERY))
    query = select(_P.c.id).where(found, names.fit(_P.c.search), _P.c.merged_into.is_(None))
    return with_merged(query.subquery())


def is_called(patient_id: Any, names: Names) -> ColumnElement[bool]:
    """Return the condition that the patient of that column, or the one he is merged into, is called so."""
    survivor = select(func.coalesce(_PRIOR.c.merged_into, _PRIOR.c.id)).where(_PRIOR.c.id == patient_id)
    survivor = survivor.correlate(patient_id.table)
    called = select(names.fit(_P.c.search)).where(_P.c.id == survivor.scalar_subquery())
    return func.coalesce(called.correlate(patient_id.table).scalar_subquery(), False)

"""Finding journeys by an encounter's id, or by their patient's number or name. Never commits.

It takes the two ways of `organizations.patient_search`, for its reasons: what few fit is found by the indexes
of encounters, numbers and words, and counted to the last one; what more than MOST_FOUND fit is looked for
among the first MOST_WALKED of the list, and `count` says how many of these fit.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, false, func, select, true, union_all

from dhos_connector_api.px.journeys import journey_list
from dhos_connector_api.px.journeys.journey_list import JOURNEY, Found, Wanted
from dhos_connector_api.px.journeys.models import EncounterAliasRow
from dhos_connector_api.px.organizations import patient_finding
from dhos_connector_api.px.organizations.patient_names import Names
from dhos_connector_api.px.organizations.patient_search import MOST_FOUND, MOST_WALKED
from dhos_connector_api.px.organizations.patient_terms import Terms, terms

#: So many of those walked over are enough not to ask the indexes.
_ENOUGH = 50
_ALIAS = EncounterAliasRow.__table__


def find(connection: Connection, wanted: Wanted) -> Found:
    """Return the page of the journeys that are seen and fit all filters, `search` too where it is given."""
    text = wanted.filters.get("search")
    if text is None:
        return journey_list.listed(connection, wanted)
    asked = terms(text)
    names = Names.of(connection, asked)
    where = wanted.where(connection)
    found = None if names and names.dense else _by_indexes(connection, wanted, where, asked, names)
    if found is None or found.count > MOST_FOUND:
        walked = names and _walked(connection, wanted, where, names)
        found = walked or found or _by_indexes(connection, wanted, where, asked, names)
    return found


def _by_indexes(
    connection: Connection, wanted: Wanted, where: ColumnElement[bool], asked: Terms, names: Names | None
) -> Found:
    """What the indexes find, and how many: above MOST_FOUND where there are more than these."""
    spellings = patient_finding.spellings(asked.identifier)
    called = select(_ALIAS.c.journey_id).where(_ALIAS.c.encounter_id.in_(spellings)).subquery()
    ways = [_of_list(wanted, where).join(called, called.c.journey_id == JOURNEY.c.id)]
    patients = [patient_finding.by_identifier(asked.identifier)]
    if names:
        patients.append(patient_finding.by_names(names))
    for each in patients:
        ids = each.cte()
        ways.append(_of_list(wanted, where).join(ids, ids.c.id == JOURNEY.c.patient_id))
    hits = union_all(*(each.limit(MOST_FOUND + 1) for each in ways)).cte("hits")
    each_once = select(*hits.c).distinct().cte("found")
    return _page(connection, wanted, each_once)[0]


def _of_list(wanted: Wanted, where: ColumnElement[bool]) -> Select[Any]:
    """The query for the keys of the list's journeys."""
    return select(*wanted.columns()).where(where)


def _walked(connection: Connection, wanted: Wanted, where: ColumnElement[bool], names: Names) -> Found | None:
    """Those among the first MOST_WALKED of the list; None: so few of more that indexes say more."""
    walk = select(*wanted.columns(), JOURNEY.c.patient_id).where(where).order_by(*wanted.order())
    first = walk.limit(MOST_WALKED).cte("walked")
    fits = patient_finding.is_called(first.c.patient_id, names)
    found = select(*(first.c[each.name] for each in wanted.columns())).where(fits).cte("found")
    page, seen = _page(connection, wanted, found, first)
    return page if page.count >= _ENOUGH or seen < MOST_WALKED else None


def _page(connection: Connection, wanted: Wanted, each: Any, of: Any = None) -> tuple[Found, int]:
    """The page of these journeys and their number, and how many rows `of` has."""
    part = (
        select(each.c.id).order_by(*wanted.order(each)).offset(wanted.offset).limit(wanted.limit).subquery()
    )
    sizes = (each, each if of is None else of)
    numbers = select(*(select(func.count()).select_from(it).scalar_subquery() for it in sizes)).subquery()
    query = select(*numbers.c, part.c.id).select_from(numbers.outerjoin(part, true()))
    found = connection.execute(query).all()
    ids = [row[2] for row in found if row[2] is not None]
    here = select(JOURNEY.c.id).where(JOURNEY.c.id.in_(ids) if ids else false()).subquery()
    return Found(journey_list.rows_of(connection, wanted, here), found[0][0]), found[0][1]

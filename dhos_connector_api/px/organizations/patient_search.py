"""Finding patients: lists with filters and orders, and the search by identifier, name, phone and e-mail.

A search takes one of two ways. What few fit is
found by the indexes of identifiers, words, numbers and addresses, and counted to the last one. What more than
MOST_FOUND fit ("Mohammed", "m") is looked for among the first MOST_WALKED of the list: these are the first
of its pages, and who comes after them is found by asking for more. Where they are hardly any (all of a last
name, in that order, stand together), the MOST_FOUND that the index finds first are put in order. Then `count`
says how many of these fit. What is read is bounded but for two things: an index of words reads the places of
all who have a word, and a word that is common elsewhere and rare in one hospital is read where it is common.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from dhos_connector_api.px.organizations.models import PHONE_END, PatientIdentifierRow, PatientRow
from dhos_connector_api.px.organizations.patient_finding import spellings
from dhos_connector_api.px.organizations.patient_list import (
    NOBODY,
    ORDERS,
    Found,
    List,
    among,
    conditions,
    listed,
)
from dhos_connector_api.px.organizations.patient_names import Names
from dhos_connector_api.px.organizations.patient_terms import NAMES, Terms, terms
from dhos_connector_api.px.organizations.search import words_of

#: More than these are not found by an index.
MOST_FOUND = 3_000
MOST_WALKED = 4_000
#: So many of those walked over are enough not to ask the indexes.
_ENOUGH = 50

_P = PatientRow.__table__
_PRIOR = _P.alias("prior")
_NUMBER = PatientIdentifierRow.__table__
_END: ColumnElement[str] = literal_column(PHONE_END, Text)


def search_values(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the search columns of a patient with these names become."""
    return {"search": words_of(*(columns.get(name) for name in NAMES))}


def find(
    connection: Connection,
    condition: ColumnElement[bool],
    filters: Mapping[str, Any],
    *,
    ordering: str,
    page: int,
    page_size: int,
) -> Found:
    """Return the page of the patients that are seen (`condition`) and fit all `filters` that are not None.

    These are primary_hospital, gender, city, status and search. `ordering` is created_at, last_name or
    date_of_birth, with a minus for the other way round. Who was merged into another is not listed: a search
    for an identifier of his finds the other one, with his id as `merged_from`.
    """
    column = ordering.removeprefix("-")
    if column not in ORDERS:
        raise ValueError(ordering)
    where = and_(condition, *conditions(filters))
    wanted = List(where, column, column != ordering, (page - 1) * page_size, page_size)
    if filters.get("search") is None:
        return listed(connection, wanted)
    return _searched(connection, wanted, terms(filters["search"]))


def _searched(connection: Connection, wanted: List, asked: Terms) -> Found:
    names = Names.of(connection, asked)
    found = None if names and names.dense else _by_indexes(connection, wanted, asked, names)
    if found is None or found.count > MOST_FOUND:
        walked = _walked(connection, wanted, asked, names)
        found = walked or found or _by_indexes(connection, wanted, asked, names)
    return found


def _by_indexes(connection: Connection, wanted: List, asked: Terms, names: Names | None) -> Found:
    """What the indexes find, and how many: above MOST_FOUND where there are more than these."""
    ways = [_by_identifier(wanted, asked.identifier)]
    for fits in _indexed(asked, names):
        way = select(_P.c.id, _P.c[wanted.column], NOBODY).where(wanted.where, fits)
        ways.append(way.limit(MOST_FOUND + 1))
    hits = union_all(*ways).cte("hits")
    merged = func.array_agg(hits.c.merged_from).filter(hits.c.merged_from.is_not(None))[1]
    columns = (hits.c.id, hits.c[wanted.column])
    each = select(*columns, merged.label("merged_from")).group_by(*columns).cte("found")
    return among(connection, wanted, each)[0]


def _indexed(asked: Terms, names: Names | None) -> list[ColumnElement[bool]]:
    """What an index answers each."""
    ways: list[ColumnElement[bool]] = []
    if names:
        ways.append(and_(_P.c.search.op("@@")(cast(names.indexed, TSQUERY)), names.fit(_P.c.search)))
    if asked.email:
        ways.append(func.lower(_P.c.email) == asked.email)
    if asked.phone_end:
        ways.append(_ends(_END, asked.phone_end))
    return ways


def _ends(number: ColumnElement[str], end: str) -> ColumnElement[bool]:
    """Whether a number that is kept from its end ends so; ":" follows the digits."""
    low = end[::-1]
    return and_(number.op("~>=~")(low), number.op("~<~")(low + ":"))


def _by_identifier(wanted: List, given: str) -> Select[Any]:
    """The patients with an identifier, or into whom one with it was merged."""
    known = spellings(given)
    told = union(
        select(_NUMBER.c.patient_id.label("id")).where(_NUMBER.c.value.in_(known)).limit(MOST_FOUND),
        select(_P.c.id).where(_P.c.mrn.in_(known)).limit(MOST_FOUND),
    ).subquery()
    joined = told.join(_PRIOR, _PRIOR.c.id == told.c.id)
    joined = joined.join(_P, _P.c.id == func.coalesce(_PRIOR.c.merged_into, _PRIOR.c.id))
    columns = (_P.c.id, _P.c[wanted.column], func.nullif(_PRIOR.c.id, _P.c.id).label("merged_from"))
    return select(*columns).select_from(joined).where(wanted.where).limit(MOST_FOUND + 1)


def _walked(connection: Connection, wanted: List, asked: Terms, names: Names | None) -> Found | None:
    """Those among the first MOST_WALKED of the list; None: so few of more that indexes say more."""
    columns = [_P.c.id, _P.c[wanted.column], _P.c.search, func.lower(_P.c.email).label("address")]
    if asked.phone_end:
        columns.append(_END.label("number"))
    walk = select(*columns).where(wanted.where).order_by(*wanted.order()).limit(MOST_WALKED)
    first = walk.cte("walked")
    fits: list[ColumnElement[bool]] = [false()]
    if names:
        fits.append(names.fit(first.c.search))
    if asked.email:
        fits.append(first.c.address == asked.email)
    if asked.phone_end:
        fits.append(_ends(first.c.number, asked.phone_end))
    each = select(first.c.id, first.c[wanted.column], NOBODY).where(or_(*fits)).cte("found")
    found, seen = among(connection, wanted, each, first)
    return found if found.count >= _ENOUGH or seen < MOST_WALKED else None

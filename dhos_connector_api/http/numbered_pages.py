"""Lists of the wing px: pages by number, `{"count", "next", "previous", "results"}`, and their filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import flask

from dhos_connector_api.db.listing import MOST_COUNTED
from dhos_connector_api.errors import InvalidFields, NotFound
from dhos_connector_api.http.answers import JSON
from dhos_connector_api.http.paging import json_list, json_text


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: its `number` from 1 on, and how many there are on each."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Return how many rows stand before it."""
        return (self.number - 1) * self.size

    def rows(self, count: int) -> int:
        """Return how many rows to read of it: one more where `count` does not say whether any follow."""
        return self.size + (count >= MOST_COUNTED)


def numbered_page(
    texts: Iterable[bytes], count: int, page: Page, query: Mapping[str, Any], public_url: str | None
) -> flask.Response:
    """Return the answer with the rows of `page` (JSON texts) of a list of `count` rows in all.

    From MOST_COUNTED on `count` says no more: then `texts` has one more than the page, if others follow.
    `query` is what was asked for beside the page; entries that are None were not. Addresses of other pages
    begin with `public_url`, the service's address as clients know it; without one with that of the request.
    Raises NotFound for a page past the end; the first page is never past it.
    """
    some = list(islice(texts, page.size + 1))
    if page.number > 1 and not some:
        raise NotFound("there is no such page")
    more = len(some) > page.size if count >= MOST_COUNTED else page.offset + page.size < count
    given = {name: value for name, value in query.items() if value is not None}
    root = (public_url or flask.request.url_root).rstrip("/") + flask.request.path

    def address(number: int, there: bool) -> str | None:
        query_string = urlencode({**given, "page": number, "page_size": page.size})
        return f"{root}?{query_string}" if there else None

    members = {
        "count": count,
        "next": address(page.number + 1, more),
        "previous": address(page.number - 1, page.number > 1),
    }
    return flask.Response(json_text(members, results=json_list(some[: page.size])), content_type=JSON)


def uuid_filter(name: str, text: str | None) -> UUID | None:
    """Return the uuid that a filter names; None where it was not given. Raises InvalidFields for no uuid."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise InvalidFields({name: ["is no UUID"]}) from None


def flag_filter(text: str | None) -> bool | None:
    """Return what a filter with the values true and false says; None where it was not given."""
    return None if text is None else text == "true"

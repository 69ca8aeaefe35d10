"""Answers in JSON, names in addresses, and lists that are given page by page."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import flask

from dhos_connector_api.errors import BadInput, NotFound
from dhos_connector_api.http.answers import JSON


def json_answer(value: Any, status: int = 200) -> flask.Response:
    """Return the answer that holds that value."""
    return flask.Response(json.dumps(value), status, content_type=JSON)


def uuid_of(text: str, unknown: str) -> UUID:
    """Return the uuid an address names. Raises NotFound with the text `unknown` for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(unknown) from None


def json_page(rows: Sequence[Any], next_before: UUID | None, query: dict[str, Any]) -> flask.Response:
    """Return the answer that holds a page, with the address of the next page.

    That is relative to this one, so that it holds behind any proxy. `query` is what was asked for; entries
    that are None were not.
    """
    response = json_answer(rows)
    if next_before is not None:
        given = {name: value for name, value in query.items() if value is not None}
        response.headers["Link"] = f'<?{urlencode({**given, "before": next_before.hex})}>; rel="next"'
    return response


def cursor(before: str | None) -> UUID | None:
    """Return the cursor of a page. Raises BadInput for what never was one."""
    if before is None:
        return None
    try:
        return UUID(before)
    except ValueError:
        raise BadInput("query: before is no cursor of ours") from None

"""Versions of single objects: `ETag` in an answer, `If-Match` in a request (RFC 9110 section 13.1.1).

A store compares the version in the UPDATE itself, so that of two who change one object at once one is told.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import flask

from dhos_connector_api.errors import NotFound, PreconditionFailed
from dhos_connector_api.http.answers import JSON

_ETAG = re.compile(r'"(\d{1,18})"')
_CHANGED = "the object is not in the version that If-Match names"


def expected_version() -> int | None:
    """Return the version the request at hand wants to change; None: whichever there is.

    Raises PreconditionFailed for what no ETag of ours fits: several, a weak one, or another's.
    """
    given = flask.request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        raise PreconditionFailed(_CHANGED)
    return int(found[1])


def versioned(text: bytes, version: int, status: int = 200) -> flask.Response:
    """Return the answer with one object, a JSON text, and its version as ETag."""
    return flask.Response(text, status, {"ETag": f'"{version}"'}, content_type=JSON)


def changed(
    row: Mapping[Any, Any] | None, version: int | None, exists: Callable[[], bool], unknown: str
) -> Mapping[Any, Any]:
    """Return the row that an UPDATE with that version gave.

    Where it gave none, raises PreconditionFailed if there is the object in another version, else NotFound
    with the text `unknown`.
    """
    if row is not None:
        return row
    if version is not None and exists():
        raise PreconditionFailed(_CHANGED)
    raise NotFound(unknown)

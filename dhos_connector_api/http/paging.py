"""Answers in JSON, names in addresses, and lists that are given page by page.

A page is bounded in bytes: what is read for it where it is searched, and what is answered here.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import flask

from dhos_connector_api.db.within_bytes import PAGE_BYTES
from dhos_connector_api.errors import BadInput, NotFound
from dhos_connector_api.http.answers import JSON

_COMMA = b", "


def json_answer(value: Any, status: int = 200) -> flask.Response:
    """Return the answer that holds that value."""
    return flask.Response(json.dumps(value), status, content_type=JSON)


def json_text(members: Mapping[str, Any], **ready: bytes) -> bytes:
    """Return the JSON object with these members, and with those of `ready`, which are JSON texts already.

    What is long goes into `ready`: to go through it once more would cost time and memory. In UTF-8 (RFC 8259
    section 8.1): escapes would make three times as much of a text in other letters.
    """
    text = json.dumps(members, ensure_ascii=False).encode()
    more = [part for name, value in ready.items() for part in (b', "', name.encode(), b'": ', value)]
    return b"".join((memoryview(text)[:-1], *more, b"}")) if more else text


def texts_within(texts: Iterable[bytes]) -> list[bytes]:
    """Return the first of these texts that have PAGE_BYTES together, and the first whatever its size."""
    found: list[bytes] = []
    size = 0
    for text in texts:
        size += len(text) + len(_COMMA)
        if found and size > PAGE_BYTES:
            break
        found.append(text)
    return found


def json_list(texts: Iterable[bytes]) -> bytes:
    """Return the JSON list of what are JSON texts already."""
    return b"[%b]" % _COMMA.join(texts)


def uuid_of(text: str, unknown: str) -> UUID:
    """Return the uuid an address names. Raises NotFound with the text `unknown` for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(unknown) from None


def json_page(
    rows: Sequence[Mapping[Any, Any]],
    show: Callable[[Mapping[Any, Any]], bytes],
    query: Mapping[str, Any],
    *,
    more: bool,
    name: str = "uuid",
) -> flask.Response:
    """Return the answer that holds rows as `show` gives them, with the address of the next page.

    `more` says whether there are others behind them; the last row's `name` is the cursor to these. The
    address is relative to this one, so that it holds behind any proxy. `query` is what was asked for;
    entries that are None were not.
    """
    texts = texts_within(map(show, rows))
    response = flask.Response(json_list(texts), content_type=JSON)
    if more or len(texts) < len(rows):
        given = {each: value for each, value in query.items() if value is not None}
        before = rows[len(texts) - 1][name].hex
        response.headers["Link"] = f'<?{urlencode({**given, "before": before})}>; rel="next"'
    return response


def cursor(before: str | None) -> UUID | None:
    """Return the cursor of a page. Raises BadInput for what never was one."""
    if before is None:
        return None
    try:
        return UUID(before)
    except ValueError:
        raise BadInput("query: before is no cursor of ours") from None

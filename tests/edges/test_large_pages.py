"""Lists are bounded in bytes: an answer has 4 MB or one entry, and the next page begins where it ended."""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import store
from tests.builders import delivery
from tests.builders.api import READ, ask, internal, shared_api
from tests.builders.event import kept_event
from tests.builders.rows import WINDOW, effects, later, new_message

TOKEN = internal(READ, "read:his", "admin:his")
BY_MRN = "/dhos/v1/message/search?identifier_type=MRN&identifier=1"
BY_CONTROL_ID = "/dhos/v1/message/search/same"
EVENTS = "/api/integrations/events/"
PAGE = 4_000_000
MEGABYTE = 1_000_000


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return shared_api(database, unlimited=True)


def keep(database: Database, *sizes: int, letter: str = "x") -> list[str]:
    """Messages with contents of these sizes, all of one patient and one control id; their uuids."""
    uuids = []
    for size in sizes:
        content = "MSH|" + letter * size
        message = new_message(received=content.encode(), content=content, message_control_id="same")
        with database.transaction() as connection:
            brought = effects(message, key=message.uuid.bytes, identifiers=[("MRN", "1")])
            assert store.insert(connection, message, brought, window=WINDOW)
        uuids.append(str(message.uuid))
    return uuids


def following(response: Response) -> str | None:
    """The address of the next page: of the Link header, or of an events list."""
    if response.url.path == EVENTS:
        address: str | None = response.json()["next"]
        return address
    link = response.headers.get("link")
    return None if link is None else link.partition("<")[2].partition(">")[0]


def pages(app: ASGIApp, path: str) -> Iterator[Response]:
    """Every page, as a client gets them that follows the addresses."""
    address: str | None = path
    while address is not None:
        path = urljoin(path, address)
        response = ask(app, "GET", path, token=TOKEN)
        assert response.status_code == 200, response.text
        yield response
        address = following(response)


def entries(response: Response) -> list[dict[str, Any]]:
    body = response.json()
    found: list[dict[str, Any]] = body["results"] if isinstance(body, dict) else body
    return found


def sizes_and_names(app: ASGIApp, path: str, name: str = "uuid") -> tuple[list[int], list[str]]:
    """How many entries each page has, and the names of all; no page but one of a single entry is too long."""
    counts, names = [], []
    for response in pages(app, path):
        found = entries(response)
        assert len(response.content) <= PAGE + 1000 or len(found) == 1
        counts.append(len(found))
        names += [each[name] for each in found]
    return counts, names


@pytest.mark.parametrize("path", [BY_MRN, BY_CONTROL_ID])
def test_a_page_of_messages_ends_at_its_bytes_and_the_next_goes_on(
    app: ASGIApp, database: Database, path: str
) -> None:
    uuids = keep(database, *[MEGABYTE] * 7)
    counts, names = sizes_and_names(app, path)
    assert names == uuids[::-1]
    assert counts == [3, 3, 1]


@pytest.mark.parametrize("path", [BY_MRN, BY_CONTROL_ID])
def test_the_bytes_of_messages_are_listed_when_they_are_asked_for(
    app: ASGIApp, database: Database, path: str
) -> None:
    uuids = keep(database, *[MEGABYTE] * 4, 10)
    assert all("body" not in each for response in pages(app, path) for each in entries(response))
    asked = path + ("&" if "?" in path else "?") + "fields=body"
    counts, names = sizes_and_names(app, asked)
    assert (counts, names) == ([2, 1, 1, 1], uuids[::-1])
    for response in pages(app, asked):
        for each in entries(response):
            assert base64.b64decode(each["body"]).decode() == each["content"]
    assert ask(app, "GET", asked.replace("=body", "=bodies"), token=TOKEN).status_code == 400


def test_a_message_larger_than_a_page_is_a_page(app: ASGIApp, database: Database) -> None:
    uuids = keep(database, 10, 5 * MEGABYTE, 10)
    assert sizes_and_names(app, BY_MRN) == ([1, 1, 1], uuids[::-1])


def test_what_json_writes_longer_than_it_is_stored_is_bounded_as_well(
    app: ASGIApp, database: Database
) -> None:
    uuids = keep(database, *[500_000] * 6, letter="\x01")
    assert sizes_and_names(app, BY_MRN) == ([1] * 6, uuids[::-1])


@pytest.mark.parametrize("ordering", ["received_at", "-received_at", "occurred_at"])
def test_payloads_of_events_are_listed_when_they_are_asked_for(
    app: ASGIApp, database: Database, ordering: str
) -> None:
    """They are compressed a hundredfold where they are stored: what counts is how long they are as JSON."""
    payloads = [{"note": "0" * size} for size in (10, MEGABYTE, MEGABYTE, 5 * MEGABYTE, 10, MEGABYTE)]
    events = [str(kept_event(database, payload=each, occurred_at=later()).id) for each in payloads]
    order = events[::-1] if ordering.startswith("-") else events
    path = f"{EVENTS}?ordering={ordering}&page_size=5"
    for response in pages(app, path):
        assert all("payload_json" not in each for each in entries(response))
    assert sizes_and_names(app, path, "id") == ([5, 1], order)
    counts, names = sizes_and_names(app, f"{path}&fields=payload", "id")
    assert names == order
    assert counts == ([3, 1, 1, 1] if order == events else [2, 1, 2, 1])
    shown = {each["id"]: each for page in pages(app, f"{path}&fields=payload") for each in entries(page)}
    assert [shown[id_]["payload_json"] for id_ in events] == payloads


def test_the_rest_of_a_page_knows_the_page_before(app: ASGIApp, database: Database) -> None:
    for _ in range(4):
        kept_event(database, payload={"note": "0" * 3 * MEGABYTE})
    path = f"{EVENTS}?page_size=2&fields=payload"
    shown = [(each["previous"], each["next"]) for each in (page.json() for page in pages(app, path))]
    pages_ = [[part.partition("&page=")[2] if part else None for part in each] for each in shown]
    assert pages_ == [[None, "1&skip=1"], ["1", "2"], ["1", "2&skip=1"], ["2", None]]
    assert ask(app, "GET", f"{path}&skip=2", token=TOKEN).status_code == 400


def test_deliveries_of_messages_with_long_control_ids_are_listed_in_pages(
    app: ASGIApp, database: Database
) -> None:
    uuids = [str(delivery.queue(database, at=later(), control_id=f"{n}" + "C" * MEGABYTE)) for n in range(5)]
    assert sizes_and_names(app, "/dhos/v1/delivery") == ([3, 2], uuids[::-1])


_MAPPINGS = """
INSERT INTO event_mapping (id, source_system, event_code, canonical_code, created, modified)
SELECT gen_random_uuid(), 'his', lpad(number::text, 255, 'x'), repeat('Y', 255), now(), now()
FROM generate_series(1, :rows) AS number
"""
_KEYS = """
INSERT INTO api_key (id, source_system, hash, hint, created, created_by)
SELECT gen_random_uuid(), 'his', sha256(number::text::bytea), repeat('h', 400), now(), 'test'
FROM generate_series(1, :rows) AS number
"""


@pytest.mark.parametrize(
    ("path", "made"), [(f"{EVENTS}mappings/", _MAPPINGS), ("/api/integrations/api-keys/", _KEYS)]
)
def test_mappings_and_keys_are_all_there_however_many(
    app: ASGIApp, database: Database, path: str, made: str
) -> None:
    rows = 10_500
    with database.transaction() as connection:
        connection.execute(text(made), {"rows": rows})
    counts, names = sizes_and_names(app, path, "id")
    assert len(names) == len(set(names)) == rows
    assert len(counts) > 1


def test_a_mapping_that_is_deleted_between_two_pages_is_no_cursor(app: ASGIApp) -> None:
    gone = f"{EVENTS}mappings/?before=01989f4c3d5e7c3b9d0e5a7b1c2d3e4f"
    assert ask(app, "GET", gone, token=TOKEN).status_code == 400

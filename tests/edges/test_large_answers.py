"""Large answers are made as far as there is room: who asks for more waits, or is told to come again."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import flask
import pytest
import requests

from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.errors import Overloaded
from dhos_connector_api.http.large_answers import AFTER_SENDING, MOST_WAITING, SMALL, LargeAnswers
from dhos_connector_api.messages import store
from tests.builders.api import READ, api, ask, internal
from tests.builders.event import kept_event
from tests.builders.rows import WINDOW, effects, new_message
from tests.rigs.memory import Growth
from tests.rigs.processes import Web, environment

TOKEN = internal(READ, "read:his")
LARGE = 2 * SMALL


@contextmanager
def answering(answers: LargeAnswers, size: int) -> Iterator[dict[str, object]]:
    """An answer of that size, as a Flask view makes it; gives the environment of its request."""
    with flask.Flask("test").test_request_context() as context, answers.room(size):
        yield context.request.environ


def sent(environ: dict[str, object]) -> None:
    """Do what is done once the answer is sent."""
    after = environ[AFTER_SENDING]
    assert isinstance(after, list)
    for each in after:
        each()


def test_room_is_held_until_the_answer_is_sent() -> None:
    answers = LargeAnswers(2 * LARGE, patience=0.0)
    with answering(answers, LARGE) as first, answering(answers, LARGE):
        with pytest.raises(Overloaded), answering(answers, LARGE):
            raise AssertionError
        with answering(answers, SMALL):
            pass
    with pytest.raises(Overloaded), answering(answers, LARGE):
        raise AssertionError
    sent(first)
    with answering(answers, LARGE):
        pass


def test_what_fails_holds_nothing() -> None:
    answers = LargeAnswers(LARGE, patience=0.0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), answering(answers, 100 * LARGE):
            raise ZeroDivisionError


def test_few_wait_for_room_and_get_it() -> None:
    answers = LargeAnswers(LARGE, patience=30)
    with answering(answers, LARGE) as first:
        pass
    refused = threading.Event()

    def one(_: int) -> bool:
        try:
            with answering(answers, LARGE) as environ:
                pass
        except Overloaded:
            refused.set()
            return False
        sent(environ)
        return True

    with ThreadPoolExecutor(MOST_WAITING + 1) as pool:
        asked = pool.map(one, range(MOST_WAITING + 1))
        assert refused.wait(20)
        sent(first)
        assert sorted(asked) == [False, True, True]


def test_an_answer_without_room_is_503(database: Database) -> None:
    answers = LargeAnswers(LARGE, patience=0.0)
    app = api(database, changes={"answers": answers})
    path = f"/dhos/v1/message/{keep(database, LARGE)}"
    with answering(answers, LARGE):
        answer = ask(app, "GET", path, token=TOKEN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert ask(app, "GET", f"/dhos/v1/message/{keep(database, 10)}", token=TOKEN).status_code == 200


def test_room_is_free_again_when_an_answer_has_gone_out(database: Database) -> None:
    app = api(database, changes={"answers": LargeAnswers(LARGE, patience=0.0)})
    path = f"/dhos/v1/message/{keep(database, LARGE)}"
    assert [ask(app, "GET", path, token=TOKEN).status_code for _ in range(3)] == [200] * 3


def keep(database: Database, size: int) -> str:
    """A message with a content of that size; its uuid."""
    content = "MSH|" + "x" * size
    message = new_message(received=content.encode(), content=content, message_control_id="same")
    with database.transaction() as connection:
        brought = effects(message, key=message.uuid.bytes, identifiers=[("MRN", "1")])
        assert store.insert(connection, message, brought, window=WINDOW)
    return str(message.uuid)


def megabytes_while(database: DatabaseAddress, folder: Path, path: str, *, clients: int) -> float:
    """How much more memory a web process takes while so many clients ask for that path, twice each."""
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def one(_: int) -> int:
        return requests.get(f"{web.url}{path}", headers=headers, timeout=60).status_code

    with Web(environment(database), folder) as web:
        for small in ("/dhos/v1/message/search/nobody", "/api/integrations/events/?status=ignored"):
            assert requests.get(f"{web.url}{small}", headers=headers, timeout=60).ok
        grown = Growth(web.process.popen.pid)
        with ThreadPoolExecutor(clients) as pool:
            answers = list(pool.map(one, range(2 * clients)))
        assert set(answers) <= {200, 503}
        assert 200 in answers
        return grown.megabytes


@pytest.mark.slow
def test_memory_is_bounded_whatever_is_asked_for(
    own_database: DatabaseAddress, own_pool: Database, tmp_path: Path
) -> None:
    """40 messages of 4 MB took 2.6 GB, and those of eight clients 5.4 GB."""
    for _ in range(40):
        keep(own_pool, 4_000_000)
    large = keep(own_pool, 9_900_000)
    event = kept_event(own_pool, payload={"note": "0" * 9_000_000})
    for path in (
        "/dhos/v1/message/search/same",
        "/dhos/v1/message/search/same?fields=body",
        f"/dhos/v1/message/{large}",
        f"/api/integrations/events/{event.id}/",
        "/api/integrations/events/?fields=payload",
    ):
        for clients in (1, 8):
            assert megabytes_while(own_database, tmp_path, path, clients=clients) < 150, path


def test_a_short_list_needs_no_room(database: Database) -> None:
    answers = LargeAnswers(most_bytes=LARGE, patience=0)
    app = api(database, changes={"answers": answers})
    with answering(answers, LARGE):
        for path in ("events/mappings/", "api-keys/"):
            answer = ask(app, "GET", f"/api/integrations/{path}", token=internal("admin:his", "read:his"))
            assert (answer.status_code, answer.json()) == (200, [])

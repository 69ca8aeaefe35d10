"""Requests under an Idempotency-Key: who is first, and what everybody else is told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict, KeyReused
from dhos_connector_api.events import idempotency
from dhos_connector_api.events.idempotency import KEPT, RUNNING, Answer, Request
from tests.builders.rows import later

REQUEST, OTHER = Request(b"key", b"body"), Request(b"key", b"other body")
ANSWER = Answer(201, b"{}")
A_SECOND = timedelta(seconds=1)


def claim(
    database: Database, at: datetime, request: Request = REQUEST, id_: UUID | None = None
) -> UUID | Answer:
    with database.transaction() as connection:
        return idempotency.claim(connection, request, id_ or uuid4(), at=at)


def answer(database: Database) -> None:
    with database.transaction() as connection:
        idempotency.answer(connection, REQUEST, ANSWER)


def test_the_first_runs_and_the_same_again_is_answered_as_the_first(database: Database) -> None:
    at, id_ = later(), uuid4()
    assert claim(database, at, id_=id_) == id_
    with pytest.raises(Conflict):
        claim(database, at)
    answer(database)
    assert claim(database, at) == ANSWER


def test_another_request_under_the_key_is_refused(database: Database) -> None:
    at = later()
    claim(database, at)
    for _ in range(2):
        with pytest.raises(KeyReused):
            claim(database, at, OTHER)
        answer(database)


def test_a_request_that_died_is_taken_over_under_its_own_claim(database: Database) -> None:
    at, id_ = later(), uuid4()
    claim(database, at, id_=id_)
    with pytest.raises(Conflict):
        claim(database, at + RUNNING)
    with pytest.raises(KeyReused):
        claim(database, at + RUNNING + A_SECOND, OTHER)
    assert claim(database, at + RUNNING + A_SECOND) == id_


def test_a_request_that_failed_may_come_again_at_once(database: Database) -> None:
    at, id_ = later(), uuid4()
    claim(database, at, id_=id_)
    with database.transaction() as connection:
        idempotency.release(connection, REQUEST, at=at)
    assert claim(database, at) == id_


def test_a_key_is_forgotten_after_a_day(database: Database) -> None:
    at, id_ = later(), uuid4()
    claim(database, at)
    answer(database)
    assert claim(database, at + KEPT) == ANSWER
    assert claim(database, at + KEPT + A_SECOND, OTHER, id_) == id_
    with database.transaction() as connection:
        assert idempotency.prune(connection, at=at + KEPT + A_SECOND, limit=9) == 0
        assert idempotency.prune(connection, at=at + 2 * KEPT + 2 * A_SECOND, limit=9) == 1


def test_of_many_at_once_one_works_and_all_others_get_its_answer(database: Database) -> None:
    at = later()

    def send(_: int) -> bool:
        with database.transaction() as connection:
            if idempotency.claim(connection, REQUEST, uuid4(), at=at) == ANSWER:
                return False
            idempotency.answer(connection, REQUEST, ANSWER)
            return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(send, range(40))) == 1

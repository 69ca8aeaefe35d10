"""Messages posted at the same moment: committed together, and each answered for itself."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.read import read
from tests.builders.api import NO_DATABASE, WRITE, api, internal, serving
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.rigs.stored import count, published

RAW = {"Content-Type": "application/hl7-v2"}
AT_ONCE = 24


class Gate:
    """A transformer that holds the first message read until it is opened: the others wait behind it."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, content: str) -> str:
        self.entered.set()
        assert self.opened.wait(30)
        return content


@contextmanager
def serving_behind(gate: Gate, database: Database) -> Iterator[str]:
    """A server whose first message waits for the gate; its address."""
    app = api(database, changes={"intake": lambda: replace(INTAKE, transform=gate)})
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}/dhos/v1/message"


def post(url: str, raw: bytes) -> httpx.Response:
    headers = RAW | {"Authorization": f"Bearer {internal(WRITE)}"}
    return httpx.post(url, content=raw, headers=headers, timeout=60)


def post_together(url: str, gate: Gate, raws: Sequence[bytes]) -> list[httpx.Response]:
    """Post all of these while the gate holds one before them, then let them go on."""
    with ThreadPoolExecutor(len(raws) + 2) as pool:
        first = pool.submit(post, url, adt())
        assert gate.entered.wait(10)
        posted = [pool.submit(post, url, raw) for raw in raws]
        pool.submit(_open_once_all_wait, gate)
        answers = [each.result() for each in posted]
        assert _code(first.result()) == "AA"
    return answers


def _open_once_all_wait(gate: Gate) -> None:
    """What has been sent by now waits in the server; what has not makes a group of its own."""
    threading.Event().wait(0.5)
    gate.opened.set()


def _code(response: httpx.Response) -> str:
    msa = read(response.content).first("MSA")
    assert msa is not None
    return msa.value(1)


def _transactions(database: Database) -> int:
    with database.statements() as connection:
        query = text("SELECT count(DISTINCT xmin::text) FROM message")
        return int(connection.execute(query).scalar_one())


def test_messages_that_wait_at_the_same_moment_are_one_transaction(database: Database) -> None:
    gate = Gate()
    with serving_behind(gate, database) as url:
        answers = post_together(url, gate, [adt() for _ in range(AT_ONCE)])
    assert Counter(map(_code, answers)) == {"AA": AT_ONCE}
    assert count(database) == len(published(database)) == AT_ONCE + 1
    assert _transactions(database) < AT_ONCE / 2


def test_each_gets_the_answer_to_its_own_message(database: Database) -> None:
    gate = Gate()
    raws = [adt(control_id=f"C{number}") for number in range(AT_ONCE)]
    with serving_behind(gate, database) as url:
        answers = post_together(url, gate, raws)
    for number, answer in enumerate(answers):
        msa = read(answer.content).first("MSA")
        assert msa is not None
        assert msa.value(2) == f"C{number}"


def test_bad_messages_among_good_ones_change_nothing_for_these(database: Database) -> None:
    gate, known = Gate(), adt(control_id="KNOWN")
    other = adt(control_id="KNOWN", family="OTHER")
    raws = [adt(), known, known, b"no message", adt("A20"), adt(MSH_10=""), other, adt(), b"", adt()]
    with serving_behind(gate, database) as url:
        answers = post_together(url, gate, raws)
    assert [each.status_code for each in answers] == [200, 200, 200, 400, 200, 200, 200, 200, 400, 200]
    codes = [_code(each) if each.status_code == 200 else None for each in answers]
    of_one_id = [codes.pop(6), codes.pop(2), codes.pop(1)]  # which of them comes first is not for us to say
    assert of_one_id in (["AR", "AA", "AA"], ["AA", "AR", "AR"])
    assert codes == ["AA", None, "AR", "AE", "AA", None, "AA"]
    assert len(published(database)) == 1 + 4


def test_one_that_postgresql_refuses_takes_no_other_with_it(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            text("ALTER TABLE message ADD CONSTRAINT no_poison CHECK (message_control_id <> 'BAD')")
        )
    try:
        gate = Gate()
        with serving_behind(gate, database) as url:
            answers = post_together(url, gate, [adt(), adt(control_id="BAD"), adt(), adt()])
    finally:
        with database.transaction() as connection:
            connection.execute(text("ALTER TABLE message DROP CONSTRAINT no_poison"))
    assert [each.status_code for each in answers] == [200, 500, 200, 200]
    assert count(database) == 4


def test_while_the_database_is_away_each_is_told_so() -> None:
    app = api(NO_DATABASE)
    with serving(app) as port, ThreadPoolExecutor(8) as pool:
        url = f"http://127.0.0.1:{port}/dhos/v1/message"
        answers = list(pool.map(lambda _: post(url, adt()), range(8)))
    assert {(each.status_code, each.headers["Retry-After"]) for each in answers} == {(503, "5")}


@pytest.mark.parametrize("size", [50_000, 200_000])
def test_a_long_message_is_taken_alone_and_answered_alike(database: Database, size: int) -> None:
    raw = adt() + b"NTE|" + b"x" * size + b"\r"
    with serving(api(database)) as port:
        assert _code(post(f"http://127.0.0.1:{port}/dhos/v1/message", raw)) == "AA"
    assert count(database) == 1


def test_copies_posted_at_the_same_moment_are_one_message(database: Database) -> None:
    raw = adt()
    with serving(api(database)) as port, ThreadPoolExecutor(16) as pool:
        url = f"http://127.0.0.1:{port}/dhos/v1/message"
        answers: list[Any] = list(pool.map(lambda _: post(url, raw), range(100)))
    assert {_code(each) for each in answers} == {"AA"}
    assert len({each.content for each in answers}) == 1
    assert (count(database), len(published(database))) == (1, 1)


@pytest.mark.parametrize("failure", [SystemExit, StopIteration, KeyboardInterrupt, RecursionError])
def test_whatever_is_raised_in_between_the_next_message_is_answered(
    database: Database, failure: type[BaseException]
) -> None:
    """One thread answers them all: it must not end, nor leave a request without an answer."""

    def transform(content: str) -> str:
        if "POISON" in content:
            raise failure
        return content

    app = api(database, changes={"intake": lambda: replace(INTAKE, transform=transform)})
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}/dhos/v1/message"
        assert post(url, adt(family="POISON")).status_code in (200, 500)
        assert [_code(post(url, adt())) for _ in range(3)] == ["AA"] * 3


def test_messages_are_taken_while_slow_requests_of_another_kind_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dhos_connector_api.http.jobs.LONGEST_WAIT", 0.2)
    with serving(api(database, WEB_THREADS="1")) as port, ThreadPoolExecutor(2) as slow:
        url = f"http://127.0.0.1:{port}"
        with database.transaction() as holder:
            holder.execute(text("LOCK TABLE event_mapping IN ACCESS EXCLUSIVE MODE"))
            waiting = [slow.submit(_mappings, url) for _ in range(2)]
            refused = next(as_completed(waiting, timeout=20))
            assert refused.result() == 503, "nobody waits for long for a thread that stands still"
            assert post(f"{url}/dhos/v1/message", adt()).status_code == 200
            assert _mappings(url) == 503, "of their own kind one more is too many"
        assert sorted(each.result() for each in waiting) == [200, 503]


def _mappings(url: str) -> int:
    headers = {"Authorization": f"Bearer {internal('read:his')}"}
    return httpx.get(f"{url}/api/integrations/events/mappings/", headers=headers, timeout=20).status_code

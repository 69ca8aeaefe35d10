"""What was answered 201 is there after kill -9, once, however often it was sent."""

import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.intake.event import MOST as GROUP
from tests.builders.api import a_key
from tests.rigs.processes import Web, environment
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow
SENDERS, KILLS = 4, 3
SITE = "[his.rate_limits.his]\nevents_per_hour = 10000000\n"


def test_events_that_were_answered_survive_kill_9_and_are_queued_once(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    environ = environment(address, SITE_CONFIG=str(site))
    headers = {"X-API-Key": a_key(database)}
    answered: list[str] = []
    url, stop = "", threading.Event()

    def send(sender: int) -> None:
        number = 0
        while not stop.is_set():
            body: dict[str, Any] = {
                "source_system": "his",
                "event_code": "OPD",
                "encounter_id": "V1",
                "event_id": f"{sender}-{number}",
            }
            try:
                answer = requests.post(
                    f"{url}/api/integrations/events/", json=body, headers=headers, timeout=10
                )
            except requests.RequestException:
                continue
            if answer.status_code in (200, 201):
                answered.append(str(body["event_id"]))
                number += 1

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for kill in range(KILLS):
        with Web(environ, tmp_path) as web:
            url = web.url
            if kill == 0:
                for thread in threads:
                    thread.start()
            enough = len(answered) + 50
            eventually(lambda enough=enough: len(answered) >= enough)  # type: ignore[misc]
            web.process.kill()
    stop.set()
    for thread in threads:
        thread.join()
    with database.statements() as connection:
        kept = connection.execute(
            text("SELECT count(*), count(DISTINCT o.id), count(DISTINCT m.uuid) FROM integration_event e"
                 " JOIN outbox o ON o.id = e.envelope_id JOIN message m ON m.uuid = e.message_uuid")
        ).one()  # fmt: skip
    assert len(set(answered)) == len(answered) >= KILLS * 50
    assert len(answered) <= kept[0] <= len(answered) + SENDERS * KILLS
    assert kept[0] == kept[1] == kept[2]


#: An event as it is kept: its id, its name in the hospital, and the envelope that tells of it.
Kept = tuple[UUID, str, UUID]


def _kept(database: Database) -> list[Kept]:
    with database.statements() as connection:
        rows = connection.execute(
            text(
                "SELECT e.id, e.encounter_id, o.id FROM integration_event e"
                " LEFT JOIN outbox o ON o.id = e.envelope_id LEFT JOIN message m ON m.uuid = e.message_uuid"
                " LEFT JOIN message_body b ON b.message_uuid = m.uuid ORDER BY o.position"
            )
        )
        return [(row[0], row[1], row[2]) for row in rows]


def _once_each(kept: list[Kept], encounters: Iterable[str]) -> bool:
    """Whether these encounters have an event each, in their order, with an envelope of its own."""
    ids, names, envelopes = (list(each) for each in zip(*kept, strict=True))
    different = len(set(ids)) == len(set(envelopes)) == len(kept)
    return different and None not in envelopes and names == list(encounters)


@pytest.mark.parametrize(
    ("point", "call", "groups", "named"),
    [
        ("a group of events kept, the next not", 2, 2, "by a key"),
        ("events read, not stored", 2, 1, "by a key"),
        ("events read, not stored", 3, 2, "by their ids"),
        ("a group of events kept, the next not", 1, 1, "by their ids"),
        ("all events kept, the answer not", 1, 3, "by a key"),
        ("the answer noted, not committed", 1, 3, "by a key"),
    ],
)
def test_a_bulk_request_killed_half_way_is_taken_once_when_it_comes_again(
    address: DatabaseAddress,
    database: Database,
    tmp_path: Path,
    point: str,
    call: int,
    groups: int,
    named: str,
) -> None:
    count = 2 * GROUP + 100
    encounters = [f"V{number}" for number in range(count)]
    body = {
        "events": [
            {"source_system": "his", "event_code": "OPD", "encounter_id": each}
            | ({"event_id": each} if named == "by their ids" else {})
            for each in encounters
        ]
    }
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    environ = environment(address, SITE_CONFIG=str(site))
    headers = {"X-API-Key": a_key(database), "Idempotency-Key": "killed"}

    def post(url: str) -> requests.Response:
        path = "/api/integrations/events/bulk_create/"
        return requests.post(f"{url}{path}", json=body, headers=headers, timeout=30)

    with Web(environ, tmp_path, ("tests.rigs.kill_points", point, str(call), "web")) as deadly:
        with pytest.raises(requests.ConnectionError):
            post(deadly.url)
        assert deadly.process.popen.wait(10) == -signal.SIGKILL
    before = _kept(database)
    assert _once_each(before, encounters[: min(groups * GROUP, count)])
    with Web(environ, tmp_path) as web:
        if named == "by their ids":
            del headers["Idempotency-Key"]
        else:
            assert post(web.url).status_code == 409  # it might still be running
            with database.transaction() as connection:  # as if its two minutes were over
                connection.execute(text("UPDATE idempotency_key SET running_until = now() - interval '1 s'"))
        answers = [post(web.url) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    told = answers[0].json()
    assert (told["created"] + told["duplicates"], told["errors"]) == (count, [])
    assert told["duplicates"] == (len(before) if named == "by their ids" else 0)
    after = _kept(database)
    assert _once_each(after, encounters)
    assert after[: len(before)] == before

"""What was answered 201 is there after kill -9, once, however often it was sent."""

import threading
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import text

from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.api_builders import a_key
from tests.processes import Web, environment
from tests.waiting import eventually

SENDERS, KILLS = 4, 3


def test_events_that_were_answered_survive_kill_9_and_are_queued_once(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    site = tmp_path / "site.toml"
    site.write_text("[his.rate_limits.his]\nevents_per_hour = 10000000\n")
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

"""Nothing of a patient, or that a person writes of a journey, where it should not be: each is a canary."""

from pathlib import Path
from typing import Any

import requests
from sqlalchemy import text

from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.canaries import CANARY, MESSAGES
from tests.builders.journey_templates import a_template
from tests.builders.people import PX_KEY, a_hospital, a_user, person_token
from tests.rigs.ledger import token
from tests.rigs.processes import Web, environment, relay
from tests.rigs.waiting import eventually

_JOURNEYS, _STAGES = "/api/journeys/instances/", "/api/journeys/stage-instances/"
_BODIES: list[Any] = [
    {"reason": CANARY},
    {"reason": f"{CANARY} with more"},
    {"reason": [CANARY]},
    {"reason": CANARY * 1000},
    {CANARY: CANARY},
    {"metadata": {CANARY: CANARY}},
    {"patient": CANARY, "hospital": CANARY, "journey_template": CANARY, "encounter_id": CANARY},
    CANARY,
]
_LISTS = (f"?search={CANARY}", f"?patient={CANARY}", f"?ordering={CANARY}", f"?{CANARY}%20x=1", f"{CANARY}/")
_LOOKS, _ENDINGS = ("", "progress/", "explain/"), ("close/", "cancel/")


def _rows(database: Database, query: str) -> list[Any]:
    with database.statements() as connection:
        return list(connection.execute(text(query)).scalars())


class Asker:
    """A person who asks, and what he was answered where it was an error."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self.errors: list[str] = []
        self.statuses: set[int] = set()

    def ask(self, method: str, path: str, body: Any = None) -> None:
        answer = requests.request(method, self._url + path, json=body, headers=self._headers, timeout=10)
        self.statuses.add(answer.status_code)
        if not answer.ok:
            self.errors.append(answer.text)

    def ask_of(self, journey: str, stages: list[str]) -> None:
        """Everything that can be asked of a journey and its stages, with every body."""
        for path in _LISTS:
            self.ask("GET", _JOURNEYS + path)
            self.ask("GET", _STAGES + path)
        for body in _BODIES:
            for stage in stages:
                for action in ("complete", "reopen", "skip"):
                    self.ask("POST", f"{_STAGES}{stage}/{action}/", body)
            self.ask("POST", _JOURNEYS, body)
            self.ask("PATCH", f"{_JOURNEYS}{journey}/", body)
            for path in _LOOKS:
                self.ask("GET", f"{_JOURNEYS}{journey}/{path}")
            for path in _ENDINGS:
                self.ask("POST", f"{_JOURNEYS}{journey}/{path}", body)


def test_no_canary_of_a_journey_reaches_a_log_a_metric_or_an_error(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    more = {"PX_HS_KEY": PX_KEY, "CONSUME_PROCESSES": "1", "LOG_LEVEL": "DEBUG"}
    environ = environment(address, **more)
    with database.transaction() as connection:
        hospital = a_hospital(connection, code="RBH")
        for type_ in ("inpatient", "opd"):
            a_template(connection, hospital, {"WARD": "ADT_A02", "LAB": "LAB"}, journey_type=type_)
        user = a_user(connection, 100)
    person, system = person_token(user), token()
    with Web(environ, tmp_path) as web, relay(environ, tmp_path):
        for raw in MESSAGES:
            headers = {"Authorization": f"Bearer {system}", "Content-Type": "application/hl7-v2"}
            requests.post(f"{web.url}/dhos/v1/message", data=raw, headers=headers, timeout=10)
        (journey,) = eventually(lambda: _rows(database, "SELECT id FROM journey_instance"))
        asker = Asker(web.url, person)
        asker.ask_of(journey, _rows(database, "SELECT id FROM stage_instance"))
        metrics = requests.get(f"{web.url}/metrics", timeout=10).text
    assert {200, 400, 404, 409} <= asker.statuses
    assert max(asker.statuses) < 500
    assert "connector_journeys" in metrics
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "answered" in logs
    trail = str(_rows(database, "SELECT row_to_json(audit_event)::text FROM audit_event"))
    assert "complete" in trail
    for place in (logs, metrics, trail, *asker.errors):
        assert not any(secret in place for secret in (CANARY, person, system))

"""Many events, each sent one to five times at the same moment, have one effect each."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake.arrival import Door
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages.kinds import Kind
from tests.builders.his import payload, raw_of, stay, visit, webhook
from tests.builders.intake import INTAKE, an_arrival
from tests.rigs.his_doors import send

_TYPES = ("Consultation", "Clinical Condtion", "Prescribed Drugs")


def _patient_copies(numbers: Random) -> list[dict[str, Any]]:
    """A patient with four events; further copies are the same bytes, or the same visits in another order."""
    entry, visits = stay(), [visit(each) for each in _TYPES]
    return [
        payload(entry, visits=numbers.sample(visits, 3) if numbers.random() < 0.5 else visits)
        for _ in range(numbers.randint(1, 5))
    ]


def _send_webhook(database: Database, value: dict[str, Any]) -> None:
    take(an_arrival(raw_of(value), Kind.WEBHOOK, door=Door(source="his")), INTAKE, database)


def _requests(database: Database, numbers: Random, patients: int) -> Iterator[Callable[[], object]]:
    """Everything to send; copies stand side by side, so that threads send them at the same moment."""
    for _ in range(patients):
        for each in _patient_copies(numbers):
            yield lambda value=each: send(database, value)  # type: ignore[misc]
        value = webhook()
        for _ in range(numbers.randint(1, 5)):
            yield lambda value=value: _send_webhook(database, value)  # type: ignore[misc]


@pytest.mark.parametrize("events", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_events_with_copies_have_one_effect_each(database: Database, events: int) -> None:
    each = events // 5  # a patient has four events, a webhook one
    requests = list(_requests(database, Random(13), each))
    assert len(requests) > 2 * 2 * each
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda request: request(), requests):
            pass
    with database.statements() as connection:
        bodies = connection.execute(text("SELECT body FROM outbox")).scalars().all()
    effects = Counter(json.loads(bytes(each))["actions"][-1]["data"]["event_uuid"] for each in bodies)
    assert len(effects) == events
    assert set(effects.values()) == {1}

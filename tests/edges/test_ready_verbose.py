"""`/ready?verbose=true`: each part in a word, for anybody, and nothing that says where it is."""

import json
from dataclasses import replace
from itertools import count

import pytest

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.state import BrokerState
from dhos_connector_api.causes import Cause, Fault
from dhos_connector_api.errors import Stopping, StorageBusy, StorageUnavailable
from dhos_connector_api.spec import document as specification
from tests.builders.api import api, ask, shared_api

PATH = "/ready?verbose=true"


def failing(error: Exception) -> dict[str, object]:
    """`changes` for `api`: a check that raises."""

    def check() -> None:
        raise error

    return {"check_ready": check}


def test_it_says_how_each_part_is_doing() -> None:
    parts = {"service": "ok", "database": "ok", "broker": "not set"}
    assert ask(shared_api(), "GET", PATH).json() == {"ready": True, "parts": parts}
    assert ask(shared_api(), "GET", "/ready?verbose=false").json() == {"ready": True}
    assert ask(shared_api(), "GET", "/ready?other=1&other=2").json() == {"ready": True}
    assert ask(shared_api(), "GET", "/ready?verbose=maybe").status_code == 400


@pytest.mark.parametrize("cause", list(Cause))
def test_a_cause_is_told_but_not_where(cause: Cause) -> None:
    fault = Fault("PostgreSQL", "CANARYHOST", 5432, cause)
    error = StorageUnavailable("the database did not answer", fault)
    answer = ask(api(changes=failing(error)), "GET", PATH)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["parts"] == {"service": "ok", "database": str(cause), "broker": "not set"}
    assert "CANARY" not in answer.text


@pytest.mark.parametrize(
    ("error", "service", "database"),
    [(Stopping("about to stop"), "stopping", "not known"), (StorageBusy("too late"), "ok", "busy")],
)
def test_what_is_no_outage_is_told_too(error: Exception, service: str, database: str) -> None:
    answer = ask(api(changes=failing(error)), "GET", PATH)
    assert answer.status_code == 503
    found = answer.json()["parts"]
    assert (found["service"], found["database"]) == (service, database)


def test_a_broker_that_is_away_does_not_make_it_unready() -> None:
    answer = ask(api(RABBITMQ_HOST="127.0.0.1", RABBITMQ_PORT="1"), "GET", PATH)
    assert (answer.status_code, answer.json()["parts"]["broker"]) == (200, "refused")


def test_the_broker_is_asked_now_and_then(shared_rabbitmq: BrokerAddress) -> None:
    wrong = replace(shared_rabbitmq, password="CANARYWORD")
    assert BrokerState([shared_rabbitmq], lambda: 0.0)() == "ok"
    assert BrokerState([wrong], lambda: 0.0)() == "login"
    assert BrokerState([wrong, shared_rabbitmq], lambda: 0.0)() == "ok"
    addresses = [wrong]
    known = BrokerState(addresses, lambda: 0.0)
    assert known() == "login"
    addresses[:] = [shared_rabbitmq]
    assert known() == "login"
    steps = count(step=5.0)
    later = BrokerState(addresses, lambda: next(steps))
    addresses[:] = [wrong]
    assert later() == "login"
    addresses[:] = [shared_rabbitmq]
    assert {later() for _ in range(4)} == {"login", "ok"}


def test_every_cause_is_in_the_specification() -> None:
    known = json.dumps(specification.load())
    for cause in Cause:
        assert f'"{cause}"' in known

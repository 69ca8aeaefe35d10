"""Every operation, asked with what schemathesis makes of the specification: no 5xx, no unannounced answer."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from starlette.types import ASGIApp

from dhos_connector_api.api import specification
from dhos_connector_api.db.engine import Database
from tests.api_builders import READ, UNLIMITED, WRITE, a_key, api, ask, internal
from tests.rules.test_responses_fit_specification import OPERATIONS, fits

SCHEMA = schemathesis.openapi.from_dict(specification.load())
TOKEN = internal(WRITE, READ, "write:his", "read:his", "admin:his")
#: Requests for each operation in each mode; a longer run only takes patience.
EXAMPLES = 20
#: What an operation that is not set up here, or not built yet, may answer.
NOT_HERE = 501


FUZZED: dict[str, Any] = {
    each.ok().definition.raw["operationId"].rpartition(".")[2]: each.ok()
    for each in SCHEMA.get_all_operations()
    if isinstance(each, Ok)
}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return api(database, changes=UNLIMITED)


def test_all_operations_are_fuzzed() -> None:
    assert set(FUZZED) == set(OPERATIONS)


def modes() -> Iterator[tuple[str, GenerationMode]]:
    """Each operation with what fits, and with what does not where anything can."""
    for name, operation in OPERATIONS.items():
        yield name, GenerationMode.POSITIVE
        if operation.parameters or "requestBody" in operation.definition:
            yield name, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("name", "mode"), list(modes()), ids=str)
def test_no_request_gets_an_answer_that_is_not_announced(
    app: ASGIApp, database: Database, name: str, mode: GenerationMode
) -> None:
    callers = cycle([{"Authorization": f"Bearer {TOKEN}"}, {"X-API-Key": a_key(database)}])

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(FUZZED[name].as_strategy(generation_mode=mode))
    def every_answer_is_announced(case: Case[Any]) -> None:
        answer = fits(OPERATIONS[name], asked(app, case, next(callers)))
        assert answer.status_code < 500 or answer.status_code == NOT_HERE

    every_answer_is_announced()


def asked(app: ASGIApp, case: Case[Any], caller: dict[str, str]) -> Any:
    """The case as a request to the application."""
    given_: dict[str, Any] = case.as_transport_kwargs(base_url="http://connector.test")
    headers = {**given_.pop("headers"), **caller}
    whole = requests.Request(headers=headers, **given_).prepare()
    body = whole.body.encode() if isinstance(whole.body, str) else whole.body
    path = str(whole.url).removeprefix("http://connector.test")
    return ask(app, str(whole.method), path, content=body, headers=dict(whole.headers))

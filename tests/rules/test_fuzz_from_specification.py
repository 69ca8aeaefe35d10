"""Every operation, asked with what schemathesis makes of the specification: no 5xx, no unannounced answer.

What the specification cannot say would turn nearly all of it away at the door: so webhooks are signed, and
in every other request dates are dates and hospitals known.
"""

import json
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

from dhos_connector_api.actions.his.payload import STAYS, VISITS
from dhos_connector_api.db.engine import Database
from dhos_connector_api.site.model import RateLimits
from dhos_connector_api.spec import document as specification
from tests.builders.api import READ, WRITE, a_key, ask, internal, site_with
from tests.builders.his import HIS_SECRET, HIS_SECRET_BEFORE, MAIN, STANDARD_SECRET, signed_headers
from tests.builders.people import a_px_admin, people_api
from tests.rigs.answers import OPERATIONS, fits

SCHEMA = schemathesis.openapi.from_dict(specification.load())
TOKEN = internal(WRITE, READ, "write:his", "read:his", "admin:his")
#: Requests for each operation in each mode, of the fast tests and of the slow ones; more only take patience.
FEW, MANY = 8, 30
#: Operations that have to be got through to.
TAKEN = (
    *("post_his_patient_data", "post_simulated_patient_data", "post_event", "post_events"),
    *("post_simulated_event", "post_his_webhook", "post_lis_webhook", "post_emr_webhook"),
)
SECRETS = {"HIS": HIS_SECRET, "LIS": HIS_SECRET_BEFORE, "EMR": STANDARD_SECRET}
#: Offsets that Python, PostgreSQL and ISO 8601 do not all agree on, and years at the ends.
MOMENTS = (
    *("2025-06-05T11:06:00Z", "2025-06-05T11:06:00+23:00", "2025-06-05T11:06:00-23:59", "2025-06-05"),
    *("2025-06-05T11:06:00+16:00", "2025-06-05T11:06:00+05:00:00.123456", "2025-06-05T11:06:60Z"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-06-05T24:00:00+03:00"),
)
DATES = ("05-Jun-2025 11:06", "30-mar-2025 01:30", " 1-JAN-1900 0:00:00.1", "31-Dec-2199 23:59:59")
#: What stands under these names in every other request, in turn.
SAID: dict[str, Iterator[str]] = {
    "HospitalID": cycle(["1", " alh-main"]),
    **{name: cycle(DATES[:2]) for name in ("AdmitDate", "BillDate")},
    "DischargeDate": cycle(["", DATES[3]]),
    "DOB": cycle(["1985-06-05", ""]),
    **{name: cycle(MOMENTS) for name in ("occurred_at", "timestamp")},
}
#: What an operation that is not set up here, or not built yet, may answer.
NOT_HERE = 501
STANDARD_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


FUZZED: dict[str, Any] = {
    each.ok().definition.raw["operationId"].rpartition(".")[2]: each.ok()
    for each in SCHEMA.get_all_operations()
    if isinstance(each, Ok)
}


@pytest.fixture(scope="module")
def app(_session_database: Database) -> ASGIApp:
    """The application without limits, and with the secrets of all webhooks."""
    site = site_with(hospitals=(MAIN,), rate_limits={"*": RateLimits(10**8, 10**8)})
    secrets = {f"{source}_WEBHOOK_SECRET": key for source, key in SECRETS.items()}
    return people_api(_session_database, changes=site, **secrets)


def test_all_operations_are_fuzzed() -> None:
    assert set(FUZZED) == set(OPERATIONS)


def modes() -> Iterator[tuple[str, GenerationMode]]:
    """Each operation with what fits, and with what does not where anything can."""
    for name, operation in OPERATIONS.items():
        yield name, GenerationMode.POSITIVE
        if operation.parameters or "requestBody" in operation.definition:
            yield name, GenerationMode.NEGATIVE


def is_to_be_taken(name: str, mode: GenerationMode) -> bool:
    """Whether one of the requests has to be got through: few may all be nonsense."""
    return name in TAKEN and mode is GenerationMode.POSITIVE


def cases() -> Iterator[Any]:
    """Each of these with how many requests: few in every run, unless these say nothing, and many."""
    for name, mode in modes():
        if not is_to_be_taken(name, mode):
            yield pytest.param(name, mode, FEW, id=f"{name}-{mode}-{FEW}")
        yield pytest.param(name, mode, MANY, id=f"{name}-{mode}-{MANY}", marks=pytest.mark.slow)


@pytest.mark.parametrize(("name", "mode", "examples"), list(cases()))
def test_no_request_gets_an_answer_that_is_not_announced(
    app: ASGIApp, database: Database, name: str, mode: GenerationMode, examples: int
) -> None:
    callers = cycle([{"Authorization": f"Bearer {TOKEN}"}, {"X-API-Key": a_key(database)}])
    if OPERATIONS[name].is_of_wing:
        callers = cycle([{"Authorization": f"Bearer {a_px_admin(database)}"}])
    makes_sense, statuses = cycle([False, False, True, True]), set()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(FUZZED[name].as_strategy(generation_mode=mode))
    def every_answer_is_announced(case: Case[Any]) -> None:
        answer = fits(OPERATIONS[name], asked(app, case, next(callers), makes_sense=next(makes_sense)))
        assert answer.status_code < 500 or answer.status_code == NOT_HERE
        statuses.add(answer.status_code)

    every_answer_is_announced()
    if is_to_be_taken(name, mode):
        assert statuses & {200, 201}


def asked(app: ASGIApp, case: Case[Any], caller: dict[str, str], *, makes_sense: bool) -> Any:
    """The case as a request to the application; a webhook's is signed."""
    given_: dict[str, Any] = case.as_transport_kwargs(base_url="http://connector.test")
    headers = {**given_.pop("headers"), **caller}
    whole = requests.Request(headers=headers, **given_).prepare()
    body = whole.body.encode() if isinstance(whole.body, str) else whole.body
    path = str(whole.url).removeprefix("http://connector.test")
    headers = {name: value for name, value in whole.headers.items() if name.lower() != "content-length"}
    if makes_sense:
        body = sensible(body)
    if path.startswith("/api/v1/webhooks/"):
        source = path.split("/")[4].upper()
        headers = {name: each for name, each in headers.items() if name.lower() not in STANDARD_HEADERS}
        headers |= signed_headers(body or b"", SECRETS[source], source)
    return ask(app, str(whole.method), path, content=body, headers=headers)


def sensible(body: bytes | None) -> bytes | None:
    """A JSON body with what `SAID` says wherever one of its names stands; any other as it is."""
    try:
        return json.dumps(said(json.loads(body or b"x"))).encode()
    except ValueError:
        return body


def said(value: Any) -> Any:
    """The same with known hospitals, and with dates; visits belong to the first stay."""
    if isinstance(value, list):
        return [said(each) for each in value]
    if not isinstance(value, dict):
        return value
    stays = value.get(STAYS)
    if isinstance(stays, list) and stays and isinstance(value.get(VISITS), list):
        value = value | {STAYS: stays[:1], VISITS: [anybodys(each) for each in value[VISITS]]}
    return {name: next(SAID[name]) if name in SAID else said(each) for name, each in value.items()}


def anybodys(visit: Any) -> Any:
    """The visit of whoever the only stay is about."""
    if not isinstance(visit, dict):
        return visit
    return {name: each for name, each in visit.items() if name not in ("PatientID", "AdmissionID")}

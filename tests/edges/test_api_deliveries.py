"""What goes out over HTTP: kept with its delivery before it is answered, found, retried, cancelled."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries.rules.outcome import Kind
from dhos_connector_api.hl7v2.read import read_text
from dhos_connector_api.site.model import Hl7Config, IdentifierTable, Inbound, SendConfig, Site
from tests.builders.api import OUTBOUND, READ, WRITE, api, ask, internal, shared_api
from tests.builders.delivery import Clock, Script, deliverer, failed, states, work
from tests.builders.oru import data

ORU, CDA, DELIVERIES = "/dhos/v1/oru_message", "/dhos/v1/cda_message", "/dhos/v1/delivery"
UNKNOWN = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"
DOCUMENT = (
    '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="D7"/>'
    '<title>Résumé</title><recordTarget><patientRole><id root="2.16.840.1.113883.2.1.4.1"'
    ' extension="9990000018"/></patientRole></recordTarget></ClinicalDocument>'
)


def actions(**patient: Any) -> dict[str, Any]:
    """The body of a request with a fresh observation set."""
    return {"actions": [{"name": "process_observation_set", "data": data(patient=patient)}]}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_api(database)


def post(app: ASGIApp, path: str, body: Any = None, **request: Any) -> Response:
    extra = {} if body is None else {"json": body}
    return ask(app, "POST", path, token=internal(WRITE), **extra, **request)


def get(app: ASGIApp, path: str = "", **request: Any) -> Any:
    response = ask(app, "GET", f"{DELIVERIES}{path}", token=internal(READ), **request)
    assert response.status_code == 200, response.text
    return response.json()


def search(app: ASGIApp, kind: str, value: str) -> list[dict[str, Any]]:
    query = {"identifier_type": kind, "identifier": value}
    found = ask(app, "GET", "/dhos/v1/message/search", token=internal(READ), params=query)
    return list(found.json())


def with_site(database: Database, **changes: Any) -> ASGIApp:
    return api(database, changes={"outbound": lambda: replace(OUTBOUND, **changes)})


def test_an_observation_set_is_kept_as_an_oru_with_its_delivery(app: ASGIApp) -> None:
    answer = post(app, ORU, actions(hospital_number="H7", nhs_number="9990000018"))
    assert (answer.status_code, answer.content) == (204, b"")
    (message,) = search(app, "MRN", "H7")
    assert search(app, "NHS number", "9990000018")[0]["uuid"] == message["uuid"]
    assert (message["src_description"], message["dst_description"]) == ("dhos", "tie")
    assert (message["state"], message["is_processed"], message["ack_status"]) == ("queued", False, None)
    assert message["message_type"] == "ORU^R01^ORU_R01"
    assert message["created_by"] == "dhos-robot"
    assert read_text(message["content"], charset="utf-8").control_id == message["message_control_id"]
    (delivery,) = get(app, params={"message_uuid": message["uuid"]})
    assert (delivery["state"], delivery["destination"], delivery["attempts"]) == ("waiting", "epr", 0)
    assert delivery["correlation_id"] == message["correlation_id"]


def test_a_correction_is_kept_too_and_supersedes_what_waits(app: ASGIApp) -> None:
    first = actions()
    assert [post(app, ORU, first).status_code for _ in range(2)] == [204, 204]
    newer, older = get(app)
    assert (newer["state"], older["state"]) == ("waiting", "superseded")
    assert older["superseded_by"] == newer["uuid"]
    assert newer["message_control_id"] == older["message_control_id"]
    assert newer["message_uuid"] != older["message_uuid"]


def test_a_site_that_wants_no_oru_gets_none(database: Database) -> None:
    app = with_site(database, site=Site())
    assert post(app, ORU, actions()).status_code == 204
    with database.statements() as connection:
        assert connection.execute(text("SELECT count(*) FROM message")).scalar_one() == 0


def test_what_is_missing_is_named_all_at_once(app: ASGIApp) -> None:
    body = {"actions": [{"name": "process_observation_set", "data": {"clinician": {}}}]}
    answer = post(app, ORU, body)
    assert answer.status_code == 400
    assert all(part in answer.json()["message"] for part in ("patient", "encounter", "observation_set"))
    assert post(app, ORU, {"actions": [{"name": "process_patient", "data": {}}]}).status_code == 400
    assert get(app) == []


def test_the_site_s_transformer_has_the_last_word(database: Database) -> None:
    app = with_site(database, transform=lambda message: message.replace("EWS", "OBS"))
    assert post(app, ORU, actions(hospital_number="H7")).status_code == 204
    assert "|OBS|" in search(app, "MRN", "H7")[0]["content"]


def test_it_is_found_where_the_hospital_has_other_names_for_identifiers(database: Database) -> None:
    table = IdentifierTable(nhs_authorities=frozenset(), nhs_types=frozenset(), mrn_types=frozenset({"HN"}))
    app = with_site(database, site=replace(OUTBOUND.site, inbound=Inbound(identifiers=table)))
    post(app, ORU, actions(hospital_number="H7", nhs_number="9990000018"))
    found = [search(app, *each) for each in (("MRN", "H7"), ("NHS number", "9990000018"))]
    assert [len(each) for each in found] == [1, 1]


@pytest.mark.parametrize(
    "transform",
    [lambda _: "", lambda text: text + "\rMSH|^~\\&|", lambda text: text.replace("\r", ""), lambda _: None],
)
def test_a_transformer_that_makes_no_message_is_our_failure(
    database: Database, transform: Callable[[str], str]
) -> None:
    app = with_site(database, transform=transform)
    answer = post(app, ORU, actions())
    assert answer.status_code == 500
    assert states(database) == {}


def test_the_header_is_the_site_s(database: Database) -> None:
    site = Site(
        hl7_config=Hl7Config("T", "EPR", "RBH", "POLARIS", "OUH", "%Y%m%d%H%M"),
        send_config=SendConfig(generate_oru_messages=True),
    )
    app = with_site(database, site=site)
    post(app, ORU, actions(hospital_number="H7"))
    header = search(app, "MRN", "H7")[0]["content"].split("\r")[0].split("|")
    assert header[2:6] == ["POLARIS", "OUH", "EPR", "RBH"]
    assert (len(header[6]), header[8], header[10:]) == (12, "ORU^R01^ORU_R01", ["T", "2.6"])


def test_a_document_is_kept_as_it_is_with_its_delivery(app: ASGIApp) -> None:
    answer = post(app, CDA, {"type": "HL7v3CDA", "content": DOCUMENT})
    assert (answer.status_code, answer.content) == (201, b"")
    (message,) = search(app, "NHS number", "9990000018")
    assert (message["content"], message["title"]) == (DOCUMENT, "Résumé")
    assert (message["src_description"], message["dst_description"]) == ("dhos", "mirth")
    assert (message["message_type"], message["state"]) == ("HL7v3CDA", "queued")
    (delivery,) = get(app)
    assert (delivery["destination"], delivery["message_uuid"]) == ("mirth", message["uuid"])


@pytest.mark.parametrize(
    "content",
    ["<a>", "no xml", DOCUMENT.replace("?>", "?><!DOCTYPE a>"), DOCUMENT.replace("Résumé", "&x;"), "\ufeff"],
)
def test_what_is_no_harmless_xml_is_refused_and_not_kept(app: ASGIApp, content: str) -> None:
    assert post(app, CDA, {"type": "HL7v3CDA", "content": content}).status_code == 400
    assert post(app, CDA, {"type": "HL7v2", "content": DOCUMENT}).status_code == 400
    assert get(app) == []


@pytest.mark.parametrize(
    ("path", "body"), [(ORU, actions()), (CDA, {"type": "HL7v3CDA", "content": DOCUMENT})]
)
def test_without_a_destination_nothing_is_kept(database: Database, path: str, body: Any) -> None:
    app = with_site(database, destinations=frozenset())
    assert post(app, path, body).status_code == 501
    assert states(database) == {}


def test_every_attempt_is_shown(app: ASGIApp, database: Database) -> None:
    post(app, ORU, actions())
    (queued,) = get(app)
    at = Clock()
    at.pass_(10**9)
    refusal = failed(Kind.PERMANENT, ack_code="AE", detail="why", http_status=200)
    work(deliverer(database, Script([refusal]), at))
    shown = get(app, f"/{queued['uuid']}")
    assert (shown["state"], shown["ack_status"], shown["attempts"]) == ("dead", "AE", 1)
    assert shown["history"] == [
        {
            "number": 1,
            "started_at": at.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "outcome": "permanent",
            "seconds": 0.0,
            "http_status": 200,
            "ack_code": "AE",
            "error": "it did not work",
            "detail": "why",
        }
    ]


def test_a_delivery_is_retried_and_cancelled_by_people(app: ASGIApp, database: Database) -> None:
    post(app, ORU, actions())
    path = f"{DELIVERIES}/{get(app)[0]['uuid']}"
    assert post(app, f"{path}/cancel").json()["state"] == "cancelled"
    assert post(app, f"{path}/cancel").status_code == 200
    assert post(app, f"{path}/retry").json()["state"] == "waiting"
    at = Clock()
    at.pass_(10**9)
    work(deliverer(database, Script(), at))
    for order in ("retry", "cancel"):
        answer = post(app, f"{path}/{order}")
        assert (answer.status_code, answer.json()["code"]) == (409, 409)
        assert post(app, f"{DELIVERIES}/{UNKNOWN}/{order}").status_code == 404


def test_deliveries_are_listed_as_asked_page_by_page(app: ASGIApp) -> None:
    for _ in range(3):
        post(app, ORU, actions())
    post(app, CDA, {"type": "HL7v3CDA", "content": DOCUMENT})
    assert len(get(app, params={"destination": "epr"})) == 3
    assert len(get(app, params={"state": "dead"})) == 0
    assert len(get(app, params={"newer_than": 3600})) == 4
    assert len(get(app, params={"older_than": 3600})) == 0
    seen: list[str] = []
    path = f"{DELIVERIES}?destination=epr&limit=2"
    while path:
        page = ask(app, "GET", path, token=internal(READ))
        seen += [each["uuid"] for each in page.json()]
        link = page.links.get("next")
        path = urljoin(path, link["url"]) if link else ""
    assert seen == [each["uuid"] for each in get(app, params={"destination": "epr"})]


@pytest.mark.parametrize(
    "query", [{"state": "lost"}, {"message_uuid": "x"}, {"older_than": "-1"}, {"before": "x"}, {"limit": "0"}]
)
def test_a_query_that_does_not_fit_is_refused(app: ASGIApp, query: dict[str, str]) -> None:
    assert ask(app, "GET", DELIVERIES, token=internal(READ), params=query).status_code == 400

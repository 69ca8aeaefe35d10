"""One spelling of an identifier: what each door keeps, publishes and finds is the same text."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.batch import split
from dhos_connector_api.hl7v2.rules import Code
from dhos_connector_api.intake.arrival import Door, Receipt
from dhos_connector_api.intake.batch import take_batch
from dhos_connector_api.intake.take import take
from dhos_connector_api.intake.together import take_together
from dhos_connector_api.messages import search, store
from dhos_connector_api.messages.kinds import Kind
from tests.builders.event import kept_event
from tests.builders.his import payload, raw_of, stay, webhook
from tests.builders.hl7 import adt, merge
from tests.builders.intake import INTAKE, an_arrival
from tests.builders.rows import WINDOW, effects, new_message
from tests.rigs.his_doors import send as send_his
from tests.rigs.stored import published, stored

NHS, MRN = "NHS number", "MRN"


def send(database: Database, raw: bytes) -> Receipt:
    return take(an_arrival(raw), INTAKE, database)


def found(database: Database, value: str, kind: str = MRN) -> list[UUID]:
    with database.statements() as connection:
        return [
            row["uuid"] for row in search.by_identifier(connection, kind, value, limit=100, before=None).rows
        ]


def bodies(database: Database) -> list[dict[str, Any]]:
    """What waits to be published, whatever the routing key: the actions by name."""
    with database.statements() as connection:
        rows = connection.execute(text("SELECT body FROM outbox ORDER BY position")).scalars().all()
    return [{each["name"]: each["data"] for each in json.loads(bytes(body))["actions"]} for body in rows]


@pytest.mark.parametrize(
    "sent", ["9434765919", "943 476 5919", "943-476-5919", "943\u00a0476\u00a05919", "\u200b9434765919\t"]
)
def test_an_nhs_number_is_kept_published_and_found_as_ten_digits(database: Database, sent: str) -> None:
    receipt = send(database, adt(PID_3=f"{sent}^^^NHS^NH"))
    assert bodies(database)[0]["process_patient"]["nhs_number"] == "9434765919"
    assert bodies(database)[0]["process_event"]["patient"]["nhs_number"] == "9434765919"
    for asked in (
        "9434765919",
        "943 476 5919",
        " 943-476-5919",
        "943\u00a0476\u00a05919",
        "9434765919\u200b",
    ):
        assert found(database, asked, NHS) == [receipt.uuid]
    assert found(database, "9434765919", MRN) == []


@pytest.mark.parametrize("sent", ["M 10 01", "M\u00a01001", "M1001\u200b"])
def test_an_mrn_of_any_door_is_found_by_every_spelling(database: Database, sent: str) -> None:
    by_hl7 = send(database, adt(PID_3=f"{sent}^^^RTH^MR")).uuid
    by_his = send_his(database, payload(stay(PatientID=sent))).uuid
    door = Door(source="his", admit=lambda: None)
    body = raw_of(webhook(event="VISIT_STARTED", patient_code=sent))
    by_webhook = take(an_arrival(body, Kind.WEBHOOK, door=door), INTAKE, database).uuid
    by_event = kept_event(database, patient_identifier=sent).message
    for asked in ("M1001", sent, f" {sent} "):
        assert set(found(database, asked)) == {by_hl7, by_his, by_webhook, by_event}
    for each in bodies(database):
        assert each["process_event"]["patient"]["mrn"] == "M1001"
        assert each.get("process_patient", {}).get("mrn", "M1001") == "M1001"


@pytest.mark.parametrize("sent", ["null", "UNKNOWN", "0000", "NIL", "Not known", "XXXX"])
def test_what_is_no_identifier_is_at_no_door(database: Database, sent: str) -> None:
    send(database, adt(PID_3=f"{sent}^^^RTH^MR~9434765919^^^NHS"))
    send_his(database, payload(stay(PatientID=sent)))
    door = Door(source="his", admit=lambda: None)
    body = raw_of(webhook(event="VISIT_STARTED", patient_code=sent))
    take(an_arrival(body, Kind.WEBHOOK, door=door), INTAKE, database)
    kept_event(database, patient_identifier=sent)
    assert found(database, sent) == []
    assert len(bodies(database)) == 5  # of the HIS an admission and a visit
    for each in bodies(database):
        assert each["process_event"]["patient"]["mrn"] is None
        assert "mrn" not in each.get("process_patient", {})


def test_what_an_earlier_build_kept_under_another_spelling_is_found_by_it(database: Database) -> None:
    message = new_message()
    with database.transaction() as connection:
        brought = effects(message, identifiers=[(MRN, "M 1001"), (NHS, "943-476-5919")], merges=[])
        assert store.insert(connection, message, brought, window=WINDOW)
    assert found(database, "M 1001") == found(database, "943-476-5919", NHS) == [message.uuid]
    later = send(database, adt(PID_3="M1001^^^RTH^MR")).uuid
    assert found(database, "M 1001") == [later, message.uuid]


def test_a_merge_is_found_published_and_told_alike(database: Database) -> None:
    old = send(database, adt(PID_3="1002^^^RTH^MR")).uuid
    merged = send(database, merge("A40", PID_3="E77^^^EMPI^PI~1001^^^RTH^MR", MRG_1="1002^^^RTH")).uuid
    assert found(database, "1001") == [merged, old]
    assert found(database, "E77") == [merged]
    _, told = bodies(database)
    assert (told["process_patient"]["mrn"], told["process_patient"]["previous_mrn"]) == ("1001", "1002")
    assert told["process_event"]["patient"]["mrn"] == "1001"
    assert told["process_event"]["previous"]["mrn"] == "1002"


def test_several_old_identifiers_of_a_merge_are_published_one_by_one(database: Database) -> None:
    send(database, merge("A40", PID_3="333^^^B^MR", MRG_1="111^^^A^MR~222^^^B^MR"))
    assert [each["process_patient"]["previous_mrn"] for each in bodies(database)] == ["111", "222"]
    assert len({each["process_event"]["event_uuid"] for each in bodies(database)}) == 2


def test_a_merge_into_itself_is_accepted_and_the_message_says_that_it_did_nothing(
    database: Database,
) -> None:
    receipt = send(database, merge("A40", PID_3="1001^^^RTH^MR", MRG_1="1001^^^RTH^MR", version="2.3"))
    row = stored(database, receipt.uuid)
    assert (row["ack_status"], row["error_code"]) == ("AA", None)
    assert "nothing is merged" in row["error_text"]
    assert b"nothing is merged" in receipt.answer.content
    [told] = published(database)
    assert "previous_mrn" not in told["actions"][0]["data"]


def test_of_merges_in_a_circle_nothing_is_published_at_no_door(database: Database) -> None:
    circle = merge("A40", PID_3="1^^^^MR", MRG_1="2^^^^MR", more=["PID|||2^^^^MR", "MRG|1^^^^MR"])
    others = [merge("A40", PID_3=f"{each}^^^^MR", MRG_1="9^^^^MR") for each in (7, 8)]
    receipts = [send(database, circle)]
    receipts += [
        taken.receipt
        for taken in take_together(list(map(an_arrival, [others[0], circle])), INTAKE, database)
        if taken.receipt
    ]
    file = split(b"BHS|^~\\&|A|B\r" + circle + others[1] + b"BTS|2\r")
    receipts += take_batch(file, INTAKE, database, caller="epr", correlation_id="1", door=Door()) or ()
    rows = [stored(database, each.uuid) for each in receipts]
    refused = ("AE", "207", "MRG^1^1")
    assert [(row["ack_status"], row["error_code"], row["error_location"]) for row in rows] == [
        refused,
        ("AA", None, None),
        refused,
        refused,
        ("AA", None, None),
    ]
    assert {each["process_patient"]["previous_mrn"] for each in bodies(database)} == {"9"}
    assert {*found(database, "2")} == {row["uuid"] for row in rows if row["ack_status"] == "AE"}


def test_why_a_merge_was_refused_is_kept_with_it(database: Database) -> None:
    receipt = send(database, merge("A40", PID_3="1001^^^RTH^MR", MRG_1="4711^^^USSSA^SS"))
    row = stored(database, receipt.uuid)
    assert (receipt.answer.code, row["error_code"], row["error_location"]) == (Code.AE, "101", "MRG^1^1")
    assert "USSSA" in row["error_text"]
    assert "4711" not in row["error_text"]


@pytest.mark.parametrize(
    "out_of_force", ["7^^^RTH^MR^^^20200101", "7^^^RTH^MR^^29990101", "7^^^RTH^MR^^^2020", "7^^^RTH^MR^^2999"]
)
@pytest.mark.parametrize("sent", ["", '""', "soon", "20260301101500"])
def test_an_identifier_out_of_force_comes_last_even_where_msh_7_says_nothing(
    database: Database, sent: str, out_of_force: str
) -> None:
    send(database, adt(PID_3=f"{out_of_force}~8^^^RTH^MR", MSH_7=sent))
    assert bodies(database)[0]["process_patient"]["mrn"] == "8"

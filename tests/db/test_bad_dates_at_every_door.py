"""Bad dates of birth by HL7, batch and HIS; a replay takes them once the site leaves them out."""

import json
from dataclasses import replace

from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.batch import split
from dhos_connector_api.intake.arrival import Door, Receipt
from dhos_connector_api.intake.batch import take_batch
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Inbound
from tests.builders.his import INTAKE, SITE, payload, raw_of, stay
from tests.builders.hl7 import adt
from tests.builders.intake import an_arrival
from tests.rigs.stored import uuid_of

LENIENT = replace(INTAKE, site=replace(SITE, inbound=Inbound(bad_dates="leave_out")))


def births(database: Database) -> list[str | None]:
    """The date of birth in each envelope."""
    with database.statements() as connection:
        bodies = connection.execute(text("SELECT body FROM outbox ORDER BY position")).scalars().all()
    return [json.loads(bytes(body))["actions"][0]["data"].get("date_of_birth") for body in bodies]


def taken_by_a_replay(database: Database, refused: Receipt) -> bool:
    assert births(database) == []
    assert replay(database, uuid_of(refused), INTAKE, by="test").envelopes == 0
    done = replay(database, uuid_of(refused), LENIENT, by="test")
    return done.accepted_now and births(database) == [None]


def test_a_message_is_taken_without_it(database: Database) -> None:
    refused = take(an_arrival(adt("A01", birth="14050916")), INTAKE, database)
    assert (refused.outcome, refused.answer.code) == ("refused", "AE")
    assert taken_by_a_replay(database, refused)


def test_a_his_payload_is_taken_without_it(database: Database) -> None:
    raw = raw_of(payload(stay(DOB="1405-09-16"), visits=[]))
    refused = take(an_arrival(raw, Kind.HIS, caller="his"), INTAKE, database)
    assert refused.outcome == "refused"
    assert taken_by_a_replay(database, refused)


def test_in_a_batch_each_message_is_judged_by_itself(database: Database) -> None:
    messages = [adt("A01", birth=birth) for birth in ("14050916", "19820305", "99991231")]
    file = split(b"BHS|^~\\&|A|B\r" + b"".join(messages) + b"BTS|3\r")
    receipts = take_batch(file, INTAKE, database, caller="epr", correlation_id="1", door=Door())
    assert receipts is not None
    assert [each.answer.code for each in receipts] == ["AE", "AA", "AE"]
    assert births(database) == ["1982-03-05"]

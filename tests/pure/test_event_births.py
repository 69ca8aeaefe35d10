"""Dates of birth that cannot be, in what webhooks and integration events say: they are not published."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from dhos_connector_api.actions.his.births import bad_births, without_bad_births
from dhos_connector_api.actions.his.webhooks import Webhook, read_webhook
from dhos_connector_api.intake import event
from dhos_connector_api.intake.arrival import Door
from dhos_connector_api.messages.kinds import Kind
from tests.builders.his import INTAKE, raw_of
from tests.builders.intake import an_arrival

TODAY = date(2025, 6, 20)
BAD: list[Any] = [
    *("0001-01-01T00:00:00", "9999-12-31", "1405-09-16", "20250622", "16-Sep-1405 00:00"),
    *("0001-01-01T00:00:00+03:00", "9999-12-31T23:59:59-01:00", "1405-09-16+03:00", "14050916000000+0300"),
    *("1405-9-16", "1405/09/16", "1405-02-30", "0000-00-00", "2025-06-22 (told)", 14050916, 14050916000000),
    *(["1405-09-16"], {"value": "1405-09-16"}, ["1985-06-05", {"dates": [14050916]}]),
]


@pytest.mark.parametrize("birth", BAD)
@pytest.mark.parametrize("name", ["date_of_birth", "DOB", "birthDate", "patient_dob"])
def test_a_birth_that_cannot_be_is_left_out(name: str, birth: Any) -> None:
    assert without_bad_births({name: birth, "a": 1}, TODAY) == {"a": 1}
    assert without_bad_births({"patients": [{name: birth, "x": None}]}, TODAY) == {"patients": [{"x": None}]}
    assert bad_births({"patients": [{name: birth}]}, TODAY) == ["".join(filter(str.isalpha, name)).lower()]


@pytest.mark.parametrize(
    "data",
    [
        {"dob": "1985-06-05"},
        {"dob": "2025-06-21"},
        {"dob": "someday"},
        {"dob": None},
        {"dob": ""},
        {"dob": "2025-02-30"},
        {"dob": "1985-06-05T00:00:00+03:00"},
        {"dob": "1985-6-5"},
        {"dob": [19850605, {"value": "1985-06-05"}, None, True, 1.5]},
        {"dob": 1405091600},  # seconds since 1970
        {"dob": -14050916},
        {"dob": "16091405"},
        {"dob": "140509161"},
        {"visit_date": "1405-09-16"},
        {"observed": ["1405-09-16", {"dob": {"year": 1405}}]},
    ],
)
def test_all_else_stays_as_it_came(data: dict[str, Any]) -> None:
    assert without_bad_births(data, TODAY) == data


def test_an_integration_event_is_published_without_it_and_kept_with_it() -> None:
    payload = {"dob": "1405-09-16", "clinic": "CARD", "timestamp": "20250605110600+0300"}
    body = {"source_system": "his", "event_code": "X", "encounter_id": "V1", "payload_json": payload}
    read = event.read(an_arrival(raw_of(body), Kind.EVENT, door=Door(identity=b"1")), INTAKE)
    assert read.event is not None
    assert read.event.event_fields["payload"] == {"clinic": "CARD", "timestamp": payload["timestamp"]}
    assert read.event.payload == payload
    assert read.event.occurred_at == datetime(2025, 6, 5, 8, 6, tzinfo=UTC)


@pytest.mark.parametrize("text", ["20250605110600+0300", "2025-06-05t11:06:00.1234567890+03:00"])
def test_a_webhook_happened_when_it_says(text: str) -> None:
    found = read_webhook({"event": "X", "occurred_at": text})
    assert isinstance(found, Webhook)
    assert found.occurred_at.replace(microsecond=0) == datetime(2025, 6, 5, 8, 6, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2025-06-05T11:06:00", "20250605110600", "1899-06-05T11:06:00Z", "soon"])
def test_a_webhook_without_such_a_time_does_not_fit(text: str) -> None:
    found = read_webhook({"event": "X", "occurred_at": text})
    assert isinstance(found, dict)
    assert list(found) == ["occurred_at"]

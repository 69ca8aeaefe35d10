"""Dates of the HIS that stand for none, births that cannot be, and texts that nobody can read."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.actions.his.companions import event_fields, of_stay
from dhos_connector_api.actions.his.dates import read_instant
from dhos_connector_api.actions.his.payload import STAYS, Faults, Patient, read_payload
from dhos_connector_api.intake import his
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Inbound
from tests.builders.his import INTAKE, MAIN, SITE, payload, raw_of, stay
from tests.builders.intake import an_arrival

TODAY = date(2025, 6, 20)
RIYADH = ZoneInfo("Asia/Riyadh")
#: A date of birth, and the reason for which it is none.
BAD_BIRTHS = [
    ("0001-01-01", "must lie between 1850 and tomorrow"),
    ("0001-01-01T00:00:00", "must lie between 1850 and tomorrow"),
    ("9999-12-31", "must lie between 1850 and tomorrow"),
    ("1405-09-16", "must lie between 1850 and tomorrow"),
    ("2025-06-22", "must lie between 1850 and tomorrow"),
    ("unknown", "must look like 1985-06-05"),
]


def read(**changes: Any) -> Patient | Faults:
    found = read_payload(payload(stay(**changes), visits=[]), TODAY)
    assert isinstance(found, list)
    return found[0]


def patient(**changes: Any) -> Patient:
    found = read(**changes)
    assert isinstance(found, Patient)
    return found


@pytest.mark.parametrize(
    "sent",
    [
        *("01-Jan-1900", "01-Jan-1900 00:00", "1-jan-0001 00:00:00", "31-Dec-9999 23:59"),
        *("1900-01-01T00:00:00", "31-Dec-1899", "01-Jan-2199 00:00", "01-Jan-2200 00:00"),
    ],
)
def test_who_is_discharged_on_a_day_that_stands_for_none_is_still_in(sent: str) -> None:
    found = patient(DischargeDate=sent).stay
    assert found.discharged is None
    encounter = of_stay(found, MAIN, RIYADH)[1]["data"]
    assert "discharged_at" not in encounter
    assert event_fields(found, MAIN, RIYADH)["discharged_at"] is None


@pytest.mark.parametrize("sent", ["02-Jan-1900 00:00", "31-Feb-1900 00:00", "2025-06-10"])
def test_other_discharges_are_judged_as_ever(sent: str) -> None:
    found = read(DischargeDate=sent)
    assert isinstance(found, Faults)
    assert list(found.details) == [f"{STAYS}[0].DischargeDate"]


@pytest.mark.parametrize(("sent", "why"), BAD_BIRTHS)
def test_a_birth_that_cannot_be_is_a_fault_or_left_out(sent: str, why: str) -> None:
    found = read(DOB=sent)
    assert isinstance(found, Faults)
    assert found.details == {f"{STAYS}[0].DOB": [why]}
    value = payload(stay(DOB=sent, PatientName="Jane Otter"), visits=[])
    [left_out] = read_payload(value, TODAY, leave_out_bad_dates=True)  # type: ignore[misc]
    assert isinstance(left_out, Patient)
    assert (left_out.stay.birth, left_out.stay.name) == (None, "Jane Otter")


@pytest.mark.parametrize("sent", ["1850-01-01", "2025-06-21", "1900-01-01"])
def test_a_birth_that_can_be_is_taken(sent: str) -> None:
    assert patient(DOB=sent).stay.birth == sent


@pytest.mark.parametrize("sent", [None, "", " "])
def test_a_birth_may_be_missing(sent: str | None) -> None:
    assert patient(DOB=sent).stay.birth is None


def test_the_site_and_the_day_it_came_decide() -> None:
    raw = raw_of(payload(stay(DOB="2025-06-22")))
    at = datetime(2025, 6, 20, 23, tzinfo=UTC)
    refused = his.read(an_arrival(raw, Kind.HIS, at=at), INTAKE)
    assert (refused.row.state, refused.admissions) == ("refused", [])
    assert his.read(an_arrival(raw, Kind.HIS, at=at.replace(day=21)), INTAKE).admissions
    lenient = replace(INTAKE, site=replace(SITE, inbound=Inbound(bad_dates="leave_out")))
    [taken] = his.read(an_arrival(raw, Kind.HIS, at=at), lenient).admissions
    assert "date_of_birth" not in taken.companions[0]["data"]


def test_no_text_publishes_what_nobody_can_read() -> None:
    found = patient(
        PatientName="Jane\t Ot\ue000ter", MobileNo="05\x0712", PrimaryDoctor="Dr. A\x85B\uf8ff Heron"
    )
    data = of_stay(found.stay, MAIN, RIYADH)[0]["data"]
    assert (data["full_name"], data["last_name"], data["phone"]) == ("Jane Otter", "Otter", "05 12")
    fields = event_fields(found.stay, MAIN, RIYADH)
    assert (fields["contact"], fields["physician"]["given_name"]) == ({"phone": "05 12"}, "A B")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-01T10:15:00.1234567Z", "2026-03-01T10:15:00.123456+00:00"),
        ("2026-03-01t10:15:00z", "2026-03-01T10:15:00+00:00"),
        ("20260301101500+0100", "2026-03-01T09:15:00+00:00"),  # as HL7 writes it
        ("20260301101500", "2026-03-01T07:15:00+00:00"),
        ("2026-03-01 10:15", "2026-03-01T07:15:00+00:00"),
        ("2026-W09-7T10:15:00", "2026-03-01T07:15:00+00:00"),
        ("2026-03-01T10:15:00+05:00:30", "2026-03-01T05:14:30+00:00"),
    ],
)
def test_moments_of_events(text: str, utc: str) -> None:
    assert read_instant(text, RIYADH).astimezone(UTC).isoformat() == utc


@pytest.mark.parametrize("text", ["202603011015001+0100", "2026-03", "01-Mar-2026 10:15", "", "yesterday"])
def test_what_is_no_moment_of_an_event(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_instant(text, RIYADH)


@pytest.mark.parametrize("text", ["2026-03-01T10:15:00", "20260301101500", "2026-03-01"])
def test_without_a_zone_an_offset_is_needed(text: str) -> None:
    with pytest.raises(ValueError, match="offset"):
        read_instant(text, None)

"""Times in a message: the zone of those without an offset, when the event happened, what is no time."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.actions.hl7.event import CANCELLATIONS
from dhos_connector_api.hl7v2.read import read
from tests.builders.envelopes import envelopes, only
from tests.builders.hl7 import adt, adt_message, message

RIYADH = ZoneInfo("Asia/Riyadh")


def actions(trigger: str = "A01", **overrides: Any) -> dict[str, Any]:
    return only(adt_message(trigger, **overrides), zone=RIYADH)


@pytest.mark.parametrize(
    ("msh_7", "offset"),
    [
        ("20240115100000", "+03:00"),
        ("20240115100000-0330", "-03:30"),
        ("20240115100000.123+0530", "+05:30"),
        ("20240115100000Z", "Z"),
        ("2024-01-15T10:00:00+01:00", "+01:00"),
        ("202401+0100", "+01:00"),
        ("soon+0100", "+03:00"),
        ("", "+03:00"),
        ('""', "+03:00"),
    ],
)
def test_every_time_without_an_offset_has_that_of_msh_7(msh_7: str, offset: str) -> None:
    found = actions("A03", MSH_7=msh_7, EVN_2="20240115093000", PV1_44="20240110", PV1_45="20240115090000")
    event, encounter = found["process_event"], found["process_encounter"]
    assert event["occurred_at"] == f"2024-01-15T09:30:00.000{offset}"
    assert event["discharged_at"] == encounter["discharged_at"] == f"2024-01-15T09:00:00.000{offset}"
    assert encounter["admitted_at"] == f"2024-01-10T00:00:00.000{offset}"


def test_an_offset_of_its_own_goes_before_that_of_msh_7() -> None:
    found = actions(MSH_7="20240115100000+0100", PV1_44="20240115090000-0500", EVN_2="20240115093000Z")
    assert found["process_encounter"]["admitted_at"] == "2024-01-15T09:00:00.000-05:00"
    assert found["process_event"]["occurred_at"] == "2024-01-15T09:30:00.000Z"


def test_every_patient_of_a_message_has_the_offset_of_msh_7() -> None:
    lines = ["PID|1||1^^^X^MRN", "PV1|1|I|W|||||||||||||||||V1|||||||||||||||||||||||||20240110080000"]
    received = read(
        message("MSH|^~\\&|A|B|||20240115100000+0100||ADT^A24|1|P|2.5", "EVN|A24", *lines, *lines)
    )
    assert all(b'"2024-01-15T10:00:00.000+01:00"' in each.body for each in envelopes(received, zone=RIYADH))


@pytest.mark.parametrize(
    ("sent", "admitted"),
    [
        ("20240115093000Z", "2024-01-15T09:30:00.000Z"),
        ("2024-01-15T09:30:00Z", "2024-01-15T09:30:00.000Z"),
        ("2024-01-15 09:30", "2024-01-15T09:30:00.000+03:00"),
        ("20240115093000.12345678901", "2024-01-15T09:30:00.123+03:00"),
    ],
)
@pytest.mark.parametrize("field", ["PV1_44", "PV1_45", "EVN_2", "EVN_6", "MSH_7"])
def test_what_has_one_reading_is_read(field: str, sent: str, admitted: str) -> None:
    others = {"EVN_2": ""} if field == "MSH_7" else {}
    assert (
        f'"{admitted}"'.encode()
        in envelopes(adt_message("A03", **others, **{field: sent}), zone=RIYADH)[0].body
    )


@pytest.mark.parametrize("sent", ["15/01/2024", "15-01-2024 09:30", "2024011509:3", "2024-01-15T09:30:00 PM"])
def test_what_has_no_reading_or_two_is_no_time(sent: str) -> None:
    found = actions(PV1_44=sent, PV1_45=sent, EVN_2=sent, EVN_6=sent, MSH_7="20240115100000")
    assert "process_encounter" not in found
    assert found["process_event"]["occurred_at"] == "2024-01-15T10:00:00.000+03:00"
    assert found["process_event"]["discharged_at"] is None


@pytest.mark.parametrize(
    "sent",
    [
        *("19000101", "00010101000000", "99991231235959", "1900-01-01T00:00:00Z", "18991231", "17530101"),
        *("21990101", "20790606", "29991231", "19700101"),
    ],
)
def test_what_databases_write_for_no_date_is_none(sent: str) -> None:
    assert "process_encounter" not in actions(PV1_44=sent)
    found = actions("A03", PV1_45=sent, PID_29=sent, EVN_2=sent, EVN_6=sent, MSH_7="20240115100000")
    assert "discharged_at" not in found["process_encounter"]
    assert found["process_encounter"]["patient_deceased"] is False
    assert "date_of_death" not in found["process_patient"]
    assert found["process_event"]["occurred_at"] == "2024-01-15T10:00:00.000+03:00"


@pytest.mark.parametrize("sent", ["19000102", "19700102", "20790605"])
def test_days_beside_those_are_told(sent: str) -> None:
    day = f"{sent[:4]}-{sent[4:6]}-{sent[6:]}"
    found = actions("A03", PV1_45=sent, PID_29=sent, EVN_6=sent)
    assert found["process_encounter"]["discharged_at"][:10] == day
    assert found["process_patient"]["date_of_death"] == day
    assert found["process_event"]["occurred_at"][:10] == day


@pytest.mark.parametrize("sent", ["2024011509+03", "20240115090000+03", "20240115090000.0 +03"])
def test_an_offset_may_be_hours_alone(sent: str) -> None:
    found = actions("A03", EVN_6=sent, PV1_45=sent)
    assert found["process_event"]["occurred_at"] == "2024-01-15T09:00:00.000+03:00"
    assert found["process_event"]["discharged_at"] == "2024-01-15T09:00:00.000+03:00"


TIMES = {"EVN_6": "20240115080000", "EVN_2": "20240115093000", "MSH_7": "20240115100000"}


@pytest.mark.parametrize("trigger", ["A01", "A02", "A03", "A08", "A16", "A60"])
def test_it_happened_when_evn_6_says(trigger: str) -> None:
    assert actions(trigger, **TIMES)["process_event"]["occurred_at"] == "2024-01-15T08:00:00.000+03:00"
    assert actions("A03", **TIMES | {"EVN_6": '""'})["process_event"]["occurred_at"][11:16] == "09:30"


@pytest.mark.parametrize("trigger", sorted(CANCELLATIONS))
def test_evn_6_of_a_cancellation_is_when_the_cancelled_event_happened(trigger: str) -> None:
    assert actions(trigger, **TIMES)["process_event"]["occurred_at"] == "2024-01-15T09:30:00.000+03:00"
    without = actions(trigger, **TIMES | {"EVN_2": ""})["process_event"]["occurred_at"]
    assert without == "2024-01-15T10:00:00.000+03:00"


@pytest.mark.parametrize(
    ("evn_6", "evn_2", "msh_7", "occurred_at"),
    [
        ("", "20240115", "20240115100000", "2024-01-15T10:00:00.000+03:00"),
        ("", "20240114", "20240115100000", "2024-01-14T00:00:00.000+03:00"),
        ("", "20240115", "20240115", "2024-01-15T00:00:00.000+03:00"),
        ("20240115", "20240115093000", "20240115100000", "2024-01-15T09:30:00.000+03:00"),
        ("20240115", "", "20240115100000", "2024-01-15T10:00:00.000+03:00"),
        ("20240114", "20240115093000", "20240115100000", "2024-01-14T00:00:00.000+03:00"),
        ("202401", "20240115", "2024", "2024-01-15T00:00:00.000+03:00"),
    ],
)
def test_a_date_gives_way_to_a_time_of_that_day(evn_6: str, evn_2: str, msh_7: str, occurred_at: str) -> None:
    found = actions(EVN_6=evn_6, EVN_2=evn_2, MSH_7=msh_7)
    assert found["process_event"]["occurred_at"] == occurred_at


@pytest.mark.parametrize("trigger", ["A13", "A25"])
def test_who_is_not_discharged_has_no_end_of_the_stay(trigger: str) -> None:
    found = actions(trigger, PV1_45="20240115090000")
    assert found["process_event"]["discharged_at"] is None
    assert "discharged_at" not in found.get("process_encounter", {})


@pytest.mark.parametrize("trigger", ["A03", "A08", "A11"])
def test_others_keep_the_end_of_the_stay(trigger: str) -> None:
    assert actions(trigger, PV1_45="20240115090000")["process_encounter"]["discharged_at"]


@pytest.mark.parametrize(
    ("pid_29", "pid_30", "deceased"),
    [
        ("", "Y", True),
        ("", "y", True),
        ('""', "Y", True),
        ("20240115", "", True),
        ("2024", "N", True),
        ("", "N", False),
        ("", "YES", True),
        ("", "no", False),
        ("00000000", "", None),
        ("", '""', None),
        ("", "X", None),
        ("", "", None),
    ],
)
def test_a_death_is_a_date_or_an_indicator(pid_29: str, pid_30: str, deceased: bool | None) -> None:
    found = actions("A03", PID_29=pid_29, PID_30=pid_30)
    assert found["process_event"]["deceased"] is deceased
    assert found["process_encounter"]["patient_deceased"] is bool(deceased)
    alone = actions("A60", PID_29=pid_29, PID_30=pid_30)
    assert alone["process_event"]["deceased"] is deceased


def test_a_batch_of_line_feeds_changes_nothing() -> None:
    raw = adt("A03", MSH_7="20240115100000+0100", EVN_2="20240115093000", line_end="\n")
    assert only(read(raw), zone=RIYADH)["process_event"]["occurred_at"] == "2024-01-15T09:30:00.000+01:00"

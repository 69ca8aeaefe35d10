"""Times of an ORU^R01: ISO 8601 in, the site's pattern in the server's zone out."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.deliveries.oru.message import build
from dhos_connector_api.errors import BadInput
from dhos_connector_api.hl7v2.build import formatted
from dhos_connector_api.hl7v2.datetimes import parse
from tests.builders.oru import data, message, seen, site

LONDON = ZoneInfo("Europe/London")
KOLKATA = ZoneInfo("Asia/Kolkata")
ST_JOHNS = ZoneInfo("America/St_Johns")
FULL = "%Y%m%d%H%M%S.%L%z"


def recorded(text: Any, zone: tzinfo = UTC, pattern: str = FULL) -> str:
    """OBR-7 of a set recorded at that time."""
    read = message(data(record_time=text), site=site(timestamp_format=pattern), zone=zone)
    return read.all("OBR")[0].text(7)


@pytest.mark.parametrize(
    ("text", "zone", "sent"),
    [
        ("2024-01-02T03:04:05.678Z", UTC, "20240102030405.678+0000"),
        ("2024-01-02T03:04:05.678Z", KOLKATA, "20240102083405.678+0530"),
        ("2024-07-02T03:04:05.678Z", LONDON, "20240702040405.678+0100"),
        ("2024-07-02T03:04:05.678Z", ST_JOHNS, "20240702003405.678-0230"),
        ("2024-01-01T00:30:00+01:00", UTC, "20231231233000.000+0000"),
        # Both clock changes of 2024 in London, a second before and at the change.
        ("2024-03-31T00:59:59Z", LONDON, "20240331005959.000+0000"),
        ("2024-03-31T01:00:00Z", LONDON, "20240331020000.000+0100"),
        ("2024-10-27T00:59:59Z", LONDON, "20241027015959.000+0100"),
        ("2024-10-27T01:00:00Z", LONDON, "20241027010000.000+0000"),
        # Without an offset: local, also where the clock skips that time or shows it twice.
        ("2024-07-02T03:04:05", LONDON, "20240702030405.000+0100"),
        ("2024-03-31T01:30:00", LONDON, "20240331023000.000+0100"),
        ("2024-10-27T01:30:00", LONDON, "20241027013000.000+0100"),
        # Precision and spelling.
        ("2024-01-02T03:04:05.6789999Z", UTC, "20240102030405.678+0000"),
        ("2024-01-02T03:04:05.6Z", UTC, "20240102030405.600+0000"),
        ("2024-01-02T03:04:05,6Z", UTC, "20240102030405.600+0000"),
        ("2024-01-02T03:04Z", UTC, "20240102030400.000+0000"),
        ("2024-01-02T03Z", UTC, "20240102030000.000+0000"),
        ("2024-01-02", KOLKATA, "20240102000000.000+0530"),
        ("20240102T030405+0000", UTC, "20240102030405.000+0000"),
        ("2024-01-02T03:04:05.456+0000", UTC, "20240102030405.456+0000"),
        ("2024-01-02T03:04:05+05", UTC, "20240101220405.000+0000"),
        ("2024-01-02 03:04:05+00:00", UTC, "20240102030405.000+0000"),
        ("2024-01-02t03:04:05z", UTC, "20240102030405.000+0000"),
        (" 2024-01-02T03:04:05Z\n", UTC, "20240102030405.000+0000"),
    ],
)
def test_a_time_is_written_in_the_servers_zone(text: str, zone: tzinfo, sent: str) -> None:
    assert recorded(text, zone) == sent


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2024",
        "2024-01",
        "2024-13-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-01-02T25:00:00Z",
        "2024-01-02T23:59:60Z",
        "2024-01-02T03:04:05+24:00",
        "2024-01-02T03:04:05Z\x00",
        "2024-01-02|03:04:05Z",
        "2024-01-02T03:04:05 Europe/London",
        "٢٠٢٤-01-02T03:04:05Z",
        "2024-01-02T03:04\ud80005",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0024-01-02T03:04:05Z",
        "2024-01-02T03:04:05." + "0" * 1000 + "Z",
        " ",
        1704164645,
        {"time": 1},
        True,
    ],
    ids=ascii,
)
@pytest.mark.parametrize("zone", [UTC, LONDON], ids=str)
def test_a_time_that_cannot_be_read_is_refused(text: Any, zone: tzinfo) -> None:
    with pytest.raises(BadInput) as error:
        recorded(text, zone)
    assert error.value.text == "body.actions[].data.observation_set.record_time: must be a time in ISO 8601"


@pytest.mark.parametrize(
    ("pattern", "sent"),
    [
        ("%Y%m%d%H%M%S.%L%z", "20240702040405.067+0100"),
        ("%Y%m%d%H%M%S", "20240702040405"),
        ("%Y%m%d%H%M", "202407020404"),
        ("%Y%m%d", "20240702"),
        ("%Y%m%d%H%M%S%z", "20240702040405+0100"),
        ("%Y%m%d%H%M%S.%f", "20240702040405.067890"),
        ("%L%L", "067067"),
        ("%%L%%%L", "%L%067"),
        ("%d/%m/%Y|%H^%M", "02/07/2024|04^04"),
        ("", ""),
    ],
)
def test_the_pattern_is_the_sites(pattern: str, sent: str) -> None:
    assert recorded("2024-07-02T03:04:05.06789Z", LONDON, pattern) == sent
    assert formatted(datetime(2024, 7, 2, 3, 4, 5, 67_890, UTC).astimezone(LONDON), pattern) == sent


def test_every_time_of_a_message_is_written_the_same_way() -> None:
    at = "2024-07-02T03:04:05Z"
    written = "20240702040405+0100"
    given = data(
        seen("heart_rate", 72, measured_time=at),
        encounter={"admitted_at": at},
        record_time=at,
        score_value=1,
        time_next_obs_set_due=at,
    )
    now = datetime(2024, 7, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    made = build(given, site=site(timestamp_format="%Y%m%d%H%M%S%z"), zone=LONDON, now=now)
    fields = [line.split("|") for line in made.text.split("\r")]
    msh, _, pv1, obr = fields[:4]
    assert [msh[6], pv1[44], obr[7]] == [written] * 3
    assert [line[14] for line in fields[4:]] == [written] * 4
    assert [line[5] for line in fields[4:] if line[3] == "TimeNextObsSetDue"] == [written]


def test_a_missing_time_is_empty() -> None:
    assert message(data(encounter={"admitted_at": None})).all("PV1")[0].raw(44) == ""


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()),  # noqa: DTZ001  the zones are drawn
    st.sampled_from([UTC, LONDON, KOLKATA, ST_JOHNS, ZoneInfo("Australia/Lord_Howe")]),
)
def test_our_own_reader_reads_the_same_moment(moment: datetime, zone: tzinfo) -> None:
    read = parse(recorded(moment.isoformat(), zone), zone)
    assert read is not None
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert read.value == whole.astimezone(UTC)

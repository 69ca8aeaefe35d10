"""What an HTTP answer that is no success means, and which addresses are taken."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.deliveries.rules.outcome import Kind
from dhos_connector_api.deliveries.transports import http
from dhos_connector_api.deliveries.transports.http import Reply

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [*((each, Kind.TRANSIENT) for each in (408, 429, 500, 501, 502, 503, 504, 599, 600, 999))]
    + [(each, Kind.PERMANENT) for each in (300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 410, 413, 451)],
)
def test_a_status_that_is_no_success_passes_or_does_not(status: int, kind: Kind) -> None:
    failed = http.refusal(Reply(status, {"retry-after": "7"}, b"secret"), NOW)
    assert (failed.kind, failed.http_status) == (kind, status)
    assert failed.retry_after == (7.0 if kind is Kind.TRANSIENT else None)
    assert "secret" not in failed.text


LATER = format_datetime(NOW + timedelta(minutes=5), usegmt=True)
EARLIER = format_datetime(NOW - timedelta(days=9), usegmt=True)
NEXT_YEAR = format_datetime(NOW + timedelta(days=365), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), (" 120 ", 120.0), ("9" * 400, 86400.0), (LATER, 300.0), (EARLIER, 0.0), (NEXT_YEAR, 86400.0)]
    + [("Sat, 31 Jan 2026 12:05:00 -0000", 300.0), ("Saturday, 31-Jan-26 12:00:09 GMT", 9.0)]
    + [(each, None) for each in ("", "-1", "1.5", "1e3", "soon", "١٢", "Sat, 99 Jan 2026 12:05:00 GMT")]
    + [("Sat, 31 Jan 99999999999999999999 12:05:00 GMT", None), ("Sat, 31 Jan 2026 12:05:00 +9999", None)],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str, seconds: float | None) -> None:
    assert http.refusal(Reply(503, {"retry-after": value}, b""), NOW).retry_after == seconds


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+")))
def test_no_retry_after_is_beyond_its_bounds(value: str) -> None:
    seconds = http.refusal(Reply(503, {"retry-after": value}, b""), NOW).retry_after
    assert seconds is None or 0 <= seconds <= http.LONGEST_RETRY_AFTER


@pytest.mark.parametrize(
    "url",
    [
        "", "/only/a/path", "//host/", "ftp://host/", "file:///etc/passwd", "javascript:1", "http://",
        "http://:80/", "https:///x", "http://host:0x50/", "http://host:99999/", "http://[::1/",
    ],
)  # fmt: skip
def test_no_other_address_is_taken(url: str) -> None:
    with pytest.raises(ValueError):
        http.address(url)

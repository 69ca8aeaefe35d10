"""One HTTP request to a destination, and what its answer means for a delivery."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from dhos_connector_api import http_request
from dhos_connector_api.deliveries.rules.outcome import CONNECT_SECONDS, LARGEST_ANSWER, DeliveryFailed, Kind
from dhos_connector_api.http_request import NotAnswered, Reply, address

__all__ = ["Reply", "address", "refusal", "request"]

#: Seconds; who asks for a longer pause gets this one.
LONGEST_RETRY_AFTER = 24 * 3600.0
#: Statuses below 500 that pass by themselves.
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def request(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> Reply:
    """Send one request and read its answer, whatever its status, within so many seconds.

    See `http_request.request`. Raises DeliveryFailed: TRANSIENT while nothing was sent, AMBIGUOUS once
    something was.
    """
    try:
        return http_request.request(
            method,
            url,
            seconds=seconds,
            headers=headers,
            body=body,
            connect_seconds=CONNECT_SECONDS,
            largest_answer=LARGEST_ANSWER,
        )
    except NotAnswered as failure:
        if failure.sent:
            raise DeliveryFailed(Kind.AMBIGUOUS, f"sent, but not answered ({failure.cause})") from None
        raise DeliveryFailed(Kind.TRANSIENT, f"no connection ({failure.cause})") from None


def refusal(reply: Reply, now: datetime) -> DeliveryFailed:
    """Return the failure that an answer other than 2xx means.

    500 and above, 408 and 429 pass by themselves; every other one is a refusal, redirects too: where
    a message goes is for the settings to say. `now` is aware, for a Retry-After that is a date.
    """
    passes = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _PASSING
    return DeliveryFailed(
        Kind.TRANSIENT if passes else Kind.PERMANENT,
        f"answered with HTTP status {reply.status}",
        http_status=reply.status,
        retry_after=_retry_after(reply.headers.get("retry-after", ""), now) if passes else None,
    )


def _retry_after(value: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3); None where there is none to be read."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_RETRY_AFTER)

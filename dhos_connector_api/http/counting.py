"""Every answered request counted, with the time it took, and logged where something went wrong."""

import logging
from functools import lru_cache

from dhos_connector_api.http.metrics import REQUEST_SECONDS
from dhos_connector_api.metrics import Histogram

_log = logging.getLogger(__name__)

_BAD_REQUEST = 400
#: Pairs of an operation and a status that are remembered; there are fewer.
_MOST_PAIRS = 1000


def count(operation: str | None, status: int, seconds: float) -> None:
    """Count one request; `status` is 0 when the client left before there was an answer.

    Neither path nor query is logged: they hold identifiers.
    """
    operation = operation or "none"
    _seconds(operation, status).observe(seconds)
    level = logging.DEBUG if 0 < status < _BAD_REQUEST else logging.INFO
    if _log.isEnabledFor(level):
        milliseconds = round(seconds * 1000, 1)
        _log.log(level, "answered", extra={"operation": operation, "status": status, "ms": milliseconds})


@lru_cache(_MOST_PAIRS)
def _seconds(operation: str, status: int) -> Histogram:
    """Return the histogram of these labels; to look it up by them takes longer than to observe."""
    return REQUEST_SECONDS.labels(operation, str(status))

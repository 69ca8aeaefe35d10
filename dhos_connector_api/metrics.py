"""The parts that the metrics of every room share; each room declares its own in its `metrics.py`.

They come from here and not from prometheus_client, so that the files they are shared in are safe ones. No
label ever holds patient data. With PROMETHEUS_MULTIPROC_DIR set (the supervisor does) the web processes share
their values. What only the database knows is in the `gauges.py` of the rooms.
"""

from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from dhos_connector_api import shared_metrics

__all__ = ["FAST", "SLOW", "Counter", "Gauge", "Histogram", "age"]

disable_created_metrics()  # type: ignore[no-untyped-call]
shared_metrics.install()

#: Upper ends of a histogram's buckets, in seconds: for what is quick, and for what may wait.
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)


def age(since: datetime | None, now: datetime) -> float:
    """Return the seconds since then; 0 where there is no then."""
    return max(0.0, (now - since).total_seconds()) if since else 0.0

"""Metrics of journeys.

What happens to journeys is counted as it is stored, before the commit: a consumer gives nothing back to be
done after it. So what is undone and done again (a batch of which one failed, a deadlock) is counted twice.
"""

from dhos_connector_api.metrics import Counter, Histogram

OPENED = Counter("connector_journeys_opened_total", "Journeys that were opened", ["type"])
ENDED = Counter("connector_journeys_ended_total", "Journeys that were closed or cancelled", ["ending"])
IGNORED = Counter("connector_evidence_ignored_total", "Evidence that counts for no journey", ["reason"])
FOLD_SECONDS = Histogram(
    "connector_journey_fold_seconds",
    "Time to fold a journey from its evidence",
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 1),
)

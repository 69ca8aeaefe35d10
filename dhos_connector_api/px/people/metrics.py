"""Metrics of people."""

from dhos_connector_api.metrics import Counter

#: Outcomes: logged in, refused, reused (a refresh token came twice).
LOGINS = Counter("connector_logins_total", "Attempts to log in, by outcome", ["outcome"])

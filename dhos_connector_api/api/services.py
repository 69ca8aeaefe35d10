"""The parts the handlers work with; `app/web.py` puts it together and leaves it in the Flask application."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import flask

from dhos_connector_api.api.px_parts import PxParts
from dhos_connector_api.auth.signatures import Secret
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries.send import Outbound
from dhos_connector_api.http.large_answers import LargeAnswers
from dhos_connector_api.http.limits import RateLimiting
from dhos_connector_api.intake.arrival import Intake

EXTENSION = "connector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of one process.

    `intake` and `outbound` give what messages are received and sent with now (the site may have
    changed; they raise SiteUnavailable). `check_ready`
    raises StorageUnavailable while the process cannot do its work; `state_of_broker` says in a word
    whether RabbitMQ can be used, or why not. `metrics` gives the Prometheus
    text; None: it is served on a port of its own. `limits` counts requests,
    `answers` has room for large answers.
    `webhook_secrets` are those of each source, the newest first; none: its webhooks are refused.
    `px` are those of the wing px.
    """

    database: Database
    intake: Callable[[], Intake]
    outbound: Callable[[], Outbound]
    check_ready: Callable[[], None]
    state_of_broker: Callable[[], str]
    metrics: Callable[[], bytes] | None
    limits: RateLimiting
    answers: LargeAnswers
    webhook_secrets: Mapping[str, tuple[Secret, ...]]
    serves_docs: bool
    px: PxParts


def services() -> Services:
    """Return the parts, inside a Flask view."""
    found: Services = flask.current_app.extensions[EXTENSION]
    return found

"""How many requests of `/api/...` are taken (Flask-Limiter); elsewhere there is no limit.

A source that calls with its API key has `events_per_hour` for operations marked `x-rate-limit: events`,
however much one request holds, and as many again for its webhooks; everything else counts against its
caller, `requests_per_minute`. The site says how many. What is marked `x-rate-limit: address`, where one
tries to become a caller, counts against the address it comes from (`ByAddress`). In memory each web
process counts its own; in Redis they count together. While Redis is away each counts its own as well, and
looks for it again after 1, 2, 4 ... 32 seconds.
"""

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import flask
from flask_limiter import Limiter, RequestLimit

from dhos_connector_api import clock
from dhos_connector_api.config.values import Network
from dhos_connector_api.errors import SiteUnavailable
from dhos_connector_api.http import call
from dhos_connector_api.http.addresses import client_address
from dhos_connector_api.http.metrics import RATE_LIMITED
from dhos_connector_api.http.problems import flask_answer, too_many
from dhos_connector_api.http.window_counts import WindowCounts
from dhos_connector_api.site.model import RateLimits, Site

_log = logging.getLogger(__name__)

#: Below this address requests are counted.
LIMITED = "/api/"
_MEMORY = f"{WindowCounts.STORAGE_SCHEME[0]}://"
#: Seconds a request may wait for Redis; without `retry` its client would try several times.
_REDIS_TIMEOUT = 0.25
_REDIS: dict[str, Any] = {
    "socket_connect_timeout": _REDIS_TIMEOUT,
    "socket_timeout": _REDIS_TIMEOUT,
    "retry": None,
}


@dataclass(frozen=True, slots=True)
class _Allowance:
    """The caller a request counts against, whether a `source`, `user` or `address`, and their limit."""

    kind: str
    who: str
    limit: str


@dataclass(frozen=True, slots=True)
class ByAddress:
    """The operations that count against an address, how often a minute, and whose X-Forwarded-For is read."""

    operations: frozenset[str] = frozenset()
    per_minute: int = 10
    trusted: tuple[Network, ...] = ()


class RateLimiting:
    """Counts requests of one web process. `event_operations`: ids of those with `x-rate-limit: events`."""

    def __init__(
        self,
        site: Callable[[], Site],
        event_operations: Iterable[str],
        storage: str | None = None,
        by_address: ByAddress | None = None,
    ) -> None:
        self._site = site
        self._event_operations = frozenset(event_operations)
        self._by_address = by_address or ByAddress()
        self._limiter = Limiter(
            lambda: self._allowance().who,
            storage_uri=storage or _MEMORY,
            storage_options=dict(_REDIS) if storage else {},
            in_memory_fallback_enabled=True,
            on_breach=self._too_many,
        )
        self._limit = self._limiter.shared_limit(
            lambda: self._allowance().limit, scope="global", key_func=lambda: self._allowance().who
        )

    def install(self, application: flask.Flask) -> None:
        """Prepare the application for counting. Nothing is counted but by the two methods below."""
        # An application that knows the limiter already gets no hooks of it: they would run, and cost a
        # tenth of the time around a handler, at every request that has no limit too.
        application.extensions.setdefault("limiter", set()).add(self._limiter)
        self._limiter.init_app(application)

    def count_request(self) -> None:
        """Count the request at hand against its caller, inside a Flask view, if it has one (yet).

        Raises what Flask answers with 429. `routing` calls it before every handler below `/api/`.
        """
        here = call.current()
        is_caller = here.claims is not None or here.key is not None or here.person is not None
        if is_caller or here.checked in self._by_address.operations:
            self._count()

    def count_webhook(self, source: str) -> None:
        """Count a webhook, which has no caller, against its `source`, inside a Flask view.

        Raises what Flask answers with 429. Call it once it is known that the request is that source's
        and no repeat: whoever has seen a request could use up the limit with it.
        """
        call.current().webhook_source = source
        self._count()

    def _count(self) -> None:
        with self._limit:
            return

    def _allowance(self) -> _Allowance:
        here = call.current()
        if here.checked in self._by_address.operations:
            return _Allowance(
                "address", f"address {self._address()}", f"{self._by_address.per_minute} per minute"
            )
        source = here.webhook_source or here.source
        limits = self._limits_of(source or "*")
        if here.webhook_source:
            return _Allowance("source", f"source {source} by webhook", f"{limits.events_per_hour} per hour")
        if source and here.checked in self._event_operations:
            return _Allowance("source", f"source {source.lower()}", f"{limits.events_per_hour} per hour")
        who = f"key of {source.lower()}" if source else f"{_issuer(here)} {here.caller}"
        return _Allowance("user", who, f"{limits.requests_per_minute} per minute")

    def _address(self) -> str:
        peer, told = flask.request.remote_addr, flask.request.headers.get("X-Forwarded-For")
        return client_address(peer, told, self._by_address.trusted)

    def _too_many(self, breached: RequestLimit) -> flask.Response:
        """Return the answer to one request too many."""
        seconds = max(1, math.ceil(breached.reset_at - clock.now().timestamp()))
        kind = self._allowance().kind
        RATE_LIMITED.labels(kind).inc()
        _log.warning("too many requests", extra={"counted_by": kind, "retry_after_seconds": seconds})
        return flask_answer(too_many(seconds, breached.limit.amount, breached.reset_at))

    def _limits_of(self, source: str) -> RateLimits:
        try:
            return self._site().his.limits_of(source)
        except SiteUnavailable:
            return RateLimits()


def _issuer(here: call.Call) -> str:
    if here.person is not None:
        return call.PERSONS
    return here.claims.issuer if here.claims else "nobody"

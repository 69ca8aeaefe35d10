"""What RabbitMQ's management API says of the queues that a routing key reaches and that refuse when full."""

import json
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from dhos_connector_api import clock, http_request
from dhos_connector_api.broker.bindings import Binding, matching
from dhos_connector_api.broker.fullness import Limits, limits
from dhos_connector_api.causes import Cause, Fault
from dhos_connector_api.http_request import NotAnswered

SERVER = "RabbitMQ's management API"
#: Seconds for all that is asked about one routing key.
SECONDS = 5.0
#: The most exchanges and queues that are looked at for one routing key; what is behind is not known.
_EXCHANGES, _QUEUES = 20, 100
_USUAL = {"http": 80, "https": 443}
_CAUSES = {
    HTTPStatus.UNAUTHORIZED: Cause.LOGIN,  # also without the tag `management`, or for another's virtual host
    HTTPStatus.FORBIDDEN: Cause.LOGIN,
}


class ManagementAway(Exception):
    """The API could not be asked, or its answer not be read; `fault` says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Reached:
    """A queue that a routing key reaches and that refuses when full; None where a number is not known.

    `is_counted`: what is `ready` was counted just now; else it is as old as RabbitMQ's statistics.
    """

    name: str
    limits: Limits
    ready: int | None
    ready_bytes: int | None
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class Management:
    """Where the API is, and who we are there. `url` is what stands before `/api/`."""

    url: str
    vhost: str
    username: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def fault(self, cause: Cause) -> Fault:
        """Return that it cannot be used for that cause."""
        parts = urlsplit(self.url)
        return Fault(SERVER, parts.hostname or "", parts.port or _USUAL[parts.scheme], cause)

    def reached(self, exchange: str, key: str) -> list[Reached]:
        """Return the queues that a message to this exchange with that key reaches and that may refuse it.

        Bindings between exchanges are followed. Raises ManagementAway.
        """
        return _Question(self, clock.monotonic() + SECONDS).reached(exchange, key)


class _Question:
    """All that is asked about one routing key, until then."""

    def __init__(self, management: Management, until: float) -> None:
        self._management = management
        self._until = until
        login = f"{management.username}:{management.password}".encode()
        self._headers = {"Authorization": f"Basic {b64encode(login).decode()}", "Accept": "application/json"}

    def reached(self, exchange: str, key: str) -> list[Reached]:
        try:
            queues = [self._get("queues", name) for name in self._names(exchange, key)]
            return [found for each in queues if each is not None and (found := _reached(each))]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ManagementAway(self._management.fault(Cause.OTHER)) from None

    def _names(self, exchange: str, key: str) -> Sequence[str]:
        """Return the names of the queues that key reaches."""
        exchanges, queues = {exchange: None}, dict[str, None]()
        for each in _growing(exchanges):
            for binding in self._matching(each, key, is_first=each == exchange):
                found, most = (exchanges, _EXCHANGES) if binding.is_exchange else (queues, _QUEUES)
                if len(found) < most:
                    found[binding.destination] = None
        return list(queues)

    def _matching(self, exchange: str, key: str, *, is_first: bool) -> Iterator[Binding]:
        about = self._get("exchanges", exchange)
        listed = self._get("exchanges", exchange, "bindings", "source")
        if about is None or listed is None:  # taken away just now, unless it is where we publish to
            if is_first:
                raise ManagementAway(self._management.fault(Cause.NO_VHOST))
            return iter(())
        bindings = (
            Binding(each["routing_key"], each["destination"], each["destination_type"] == "exchange")
            for each in listed
        )
        return matching(about["type"], bindings, key)

    def _get(self, *path: str) -> Any:
        """Return what the API says under that path of the virtual host; None for what is not there."""
        kind, *rest = path
        places = "/".join(quote(each, safe="") for each in (kind, self._management.vhost, *rest))
        try:
            reply = http_request.request(
                "GET",
                f"{self._management.url}/api/{places}",
                seconds=self._until - clock.monotonic(),
                headers=self._headers,
                context=self._management.tls,
            )
        except NotAnswered as error:
            raise ManagementAway(self._management.fault(error.why)) from None
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if not reply.succeeded:
            cause = _CAUSES.get(HTTPStatus(reply.status), Cause.OTHER)
            raise ManagementAway(self._management.fault(cause))
        return json.loads(reply.body)


def _growing(names: Mapping[str, None]) -> Iterator[str]:
    """Yield the names, also those that are added meanwhile."""
    done = 0
    while done < len(names):
        yield list(names)[done]
        done += 1


def _reached(queue: Mapping[str, Any]) -> Reached | None:
    """Return a queue as the API shows it; None for one that refuses nothing."""
    found = limits(queue)
    if found is None:
        return None
    return Reached(
        queue["name"], found, _number(queue, "messages_ready"), _number(queue, "message_bytes_ready")
    )


def _number(queue: Mapping[str, Any], name: str) -> int | None:
    value = queue.get(name)
    return value if type(value) is int else None

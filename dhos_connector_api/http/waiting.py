"""Requests that wait at the same moment, committed together (see `wsgi.OneHop`).

A handler that has read its request may leave the rest for later: it defers an arrival, and what to
answer once that is kept. The thread that ran it collects what others have deferred, has all of it kept
together, and only then makes each answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flask

from dhos_connector_api.intake.arrival import Arrival, Receipt

#: Where the WSGI environment says that this request may wait, and what has been deferred.
KEY = "connector.waiting"
#: What a view returns that has deferred its answer.
PLACEHOLDER = flask.Response(status=202)

#: Keeps arrivals together; a receipt for each, or None for one that could not be stored.
KeepTogether = Callable[[Sequence[Arrival]], Sequence[Receipt | None]]


@dataclass(slots=True)
class Waiting:
    """A request whose handler may defer its answer; `arrival` is None until it has."""

    arrival: Arrival | None = None
    answer: Callable[[Receipt], flask.Response] | None = None


def defer(arrival: Arrival, answer: Callable[[Receipt], flask.Response]) -> bool:
    """Leave the answer to the request at hand for later; False: nobody waits, answer it now.

    Call it inside a Flask view.
    """
    waiting: Any = flask.request.environ.get(KEY)
    if waiting is None:
        return False
    waiting.arrival, waiting.answer = arrival, answer
    return True

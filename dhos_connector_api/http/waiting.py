"""Requests that wait at the same moment, kept together: one transaction and one trip for all of them.

A handler that has read its request may leave the rest for later: it defers an arrival, and what to
answer once that is kept. The thread that ran it takes whatever else has come meanwhile, runs these
handlers too, has all that was deferred kept together, and only then makes each answer. Alone, a request
waits for nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flask

from dhos_connector_api.http.jobs import Answer, Job, as_failure, hand_back
from dhos_connector_api.intake.arrival import Arrival, Receipt
from dhos_connector_api.intake.gathering import Gatherer

#: Where the WSGI environment has what a handler defers; not there: it has to answer at once.
_KEY = "connector.deferred"
#: Requests that are read before the first of them is kept.
MOST = 64
#: Bytes of a body that is read among others; a longer one would hold them up.
MOST_BODY_BYTES = 100_000
#: Seconds a statement waits for another's key, and seconds lost to failures after which the rest is given up.
LOCK_TIMEOUT, MOST_LOST = 0.5, 5.0
#: What a view returns that has deferred its answer; nobody is sent it.
PLACEHOLDER = flask.Response(status=202)

#: Keeps arrivals together; for each its receipt, or the error to answer with where it could not be stored.
KeepTogether = Callable[[Sequence[Arrival]], Sequence[Receipt | Exception]]
#: What a handler makes of a receipt.
AnswerReceipt = Callable[[Receipt], flask.Response]


@dataclass(slots=True)
class _Deferred:
    """What a handler has left for later; `arrival` is None until it has."""

    arrival: Arrival | None = None
    answer: AnswerReceipt | None = None


def defer(arrival: Arrival, answer: AnswerReceipt) -> bool:
    """Leave the answer to the request at hand for later; False: nobody keeps it then, answer it now.

    Call it inside a Flask view, and return PLACEHOLDER.
    """
    deferred: _Deferred | None = flask.request.environ.get(_KEY)
    if deferred is None:
        return False
    deferred.arrival, deferred.answer = arrival, answer
    return True


class WaitingRequests:
    """One thread that runs handlers and keeps together what they defer. `run` calls Flask."""

    def __init__(self, run: Callable[[dict[str, Any]], Answer], keep_together: KeepTogether) -> None:
        self._run = run
        self._keep_together = keep_together
        self._gatherer = Gatherer(self._work, name="web-together", threads=1, most=MOST)

    def submit(self, job: Job) -> None:
        """Hand in a request, which is answered by itself or with others."""
        self._gatherer.submit(job)

    def close(self) -> None:
        """End the thread once it has answered what was submitted."""
        self._gatherer.close()

    def _work(self, jobs: Sequence[Job]) -> None:
        try:
            answered = self._answered(jobs)
        except BaseException as error:  # noqa: BLE001  it rises again where each answer is awaited
            answered = [(job, as_failure(error)) for job in jobs]
        hand_back(answered)

    def _answered(self, jobs: Sequence[Job]) -> list[tuple[Job, Answer | Exception]]:
        """Every request with its answer; what is deferred stands behind what is not."""
        answered: list[tuple[Job, Answer | Exception]] = []
        waiting: list[tuple[Job, _Deferred]] = []
        for job in jobs:
            job.environ[_KEY] = deferred = _Deferred()
            answer = job.begin() or job.attempt(self._run, job.environ)
            if deferred.arrival is None:
                answered.append((job, answer))
            else:
                waiting.append((job, deferred))
        return answered + self._kept(waiting) if waiting else answered

    def _kept(self, waiting: Sequence[tuple[Job, _Deferred]]) -> list[tuple[Job, Answer | Exception]]:
        arrivals = [each.arrival for _, each in waiting if each.arrival is not None]
        receipts = self._keep_together(arrivals)
        return [
            (job, receipt if isinstance(receipt, Exception) else job.attempt(_answer, deferred, receipt))
            for (job, deferred), receipt in zip(waiting, receipts, strict=True)
        ]


def _answer(deferred: _Deferred, receipt: Receipt) -> Answer:
    if deferred.answer is None:
        raise LookupError("a request was deferred without an answer")
    response = deferred.answer(receipt)
    body = response.get_data()
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if "Content-Length" not in response.headers:
        headers.append((b"content-length", str(len(body)).encode()))
    return Answer(response.status_code, headers, body)

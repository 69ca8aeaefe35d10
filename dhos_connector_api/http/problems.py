"""The one table that turns errors into HTTP answers: `{"code", "message"}`, and never what was sent.

Below `/api/`, whose callers know it so from the predecessor, an answer is `{"error", "details"}`; at the
paths of the wing px it is `{"<field>": ["..."]}` for what does not fit, and `{"detail": "..."}` otherwise.
ASGI's last resort and Flask's error handler both ask it, so an error looks the same wherever it rose.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import flask
from starlette.exceptions import HTTPException as AsgiHttpException
from starlette.types import Send
from werkzeug.exceptions import HTTPException as FlaskHttpException

from dhos_connector_api import errors
from dhos_connector_api.http.answers import JSON, send_answer
from dhos_connector_api.log import where
from dhos_connector_api.spec.document import WING

_log = logging.getLogger(__name__)

#: Seconds after which a client may try again when the database was away.
RETRY_AFTER = "5"
#: Where errors have the predecessor's shape.
_PREDECESSOR = "/api/"
#: What is about no field, in an answer of the wing.
NO_FIELD = "non_field_errors"

_STATUS: dict[type[errors.ConnectorError], HTTPStatus] = {
    errors.BadInput: HTTPStatus.BAD_REQUEST,
    errors.UnreadableMessage: HTTPStatus.BAD_REQUEST,
    errors.TokenRejected: HTTPStatus.UNAUTHORIZED,
    errors.SignatureRejected: HTTPStatus.UNAUTHORIZED,
    errors.IssuerNotAllowed: HTTPStatus.FORBIDDEN,
    errors.ScopeMissing: HTTPStatus.FORBIDDEN,
    errors.SourceNotAllowed: HTTPStatus.FORBIDDEN,
    errors.RightMissing: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotRead: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.NotAvailableHere: HTTPStatus.NOT_IMPLEMENTED,
    errors.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SiteUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Stopping: HTTPStatus.SERVICE_UNAVAILABLE,
}
#: What is said for errors of the frameworks, whose own texts may quote the request.
_TEXTS = {
    400: "the request cannot be read",
    401: "the request needs a token: Authorization: Bearer ...",
    404: "there is nothing under this address",
    405: "this address does not take that method",
    415: "the operation does not take this Content-Type",
    500: "the request failed",
}
_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": RETRY_AFTER},
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is answered."""

    status: int
    message: str
    headers: dict[str, str]
    details: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def body(self, path: str = "") -> bytes:
        """Return the JSON body for a request of that path."""
        if path.startswith(WING):
            return json.dumps(self._of_wing()).encode()
        if path.startswith(_PREDECESSOR):
            return json.dumps({"error": self.message, "details": dict(self.details)}).encode()
        return json.dumps({"code": self.status, "message": self.message}).encode()

    def _of_wing(self) -> dict[str, Any]:
        if self.status != HTTPStatus.BAD_REQUEST:
            return {"detail": self.message}
        found = {"" if name == "body" else name: list(texts) for name, texts in self.details.items()}
        own = found.pop("", [])
        if own or not found:
            found[NO_FIELD] = own or [self.message]
        return found


def problem_of(error: Exception) -> Problem:
    """Return how `error` is answered. What is in no table is a failure of ours: 500, without a word of it."""
    headers = {}
    if isinstance(error, errors.ConnectorError):
        known = (_STATUS[each] for each in type(error).__mro__ if each in _STATUS)
        status = int(next(known, HTTPStatus.INTERNAL_SERVER_ERROR))
        message = error.text
    else:
        status = _framework_status(error)
        message = _TEXTS.get(status, "the request cannot be taken")
        if allow := _allowed_methods(error):
            headers["Allow"] = allow
    details = error.details if isinstance(error, errors.BadInput) else {}
    if isinstance(error, errors.SignatureRejected):
        return Problem(status, message, {"WWW-Authenticate": "Signature"})
    if isinstance(error, errors.WrongCoding):
        headers["Accept-Encoding"] = "gzip"
    return Problem(status, message, {**headers, **_HEADERS.get(status, {})}, details)


def too_many(seconds: int, limit: int, reset_at: int) -> Problem:
    """Return how one request too many is answered: there is room again in so many seconds.

    `limit` is how many there may be, `reset_at` when the count begins anew (seconds since 1970).
    """
    text = "too many requests; Retry-After says when to go on"
    headers = {
        "Retry-After": str(seconds),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset_at),
    }
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, text, headers)


def _framework_status(error: Exception) -> int:
    status = None
    if isinstance(error, AsgiHttpException):
        status = error.status_code
    elif isinstance(error, FlaskHttpException):
        status = error.code
    return status if status is not None and 400 <= status <= 599 else 500  # noqa: PLR2004


def _allowed_methods(error: Exception) -> str | None:
    if isinstance(error, AsgiHttpException):
        return (getattr(error, "headers", None) or {}).get("Allow")
    methods = getattr(error, "valid_methods", None)
    return ", ".join(sorted(methods)) if methods else None


def _logged(error: Exception) -> Problem:
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = error.__cause__ or error
        extra = {"status": problem.status, "cause": where(cause)}
        _log.log(_level(error, problem.status), "request failed", extra=extra)
    return problem


def _level(error: Exception, status: int) -> int:
    """An outage is in the log already, once a minute, whatever number of requests meets it."""
    if isinstance(error, errors.StorageUnavailable) and error.fault:
        return logging.DEBUG
    return logging.ERROR if status == HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING


async def send(send_: Send, error: Exception, path: str) -> None:
    """Send the answer to `error` that rose outside of Flask, at a request of that path."""
    problem = _logged(error)
    await send_answer(send_, problem.status, problem.body(path), JSON, problem.headers)


def flask_answer(problem: Problem) -> flask.Response:
    """Return the answer to the request at hand, inside a Flask view."""
    body = problem.body(flask.request.path)
    return flask.Response(body, problem.status, problem.headers, content_type=JSON)


def register(app: flask.Flask) -> None:
    """Answer every error that rises within Flask."""

    def answer(error: Exception) -> flask.Response:
        if isinstance(error, FlaskHttpException) and isinstance(error.response, flask.Response):
            return error.response  # one of ours, made where more was known (`http/limits.py`)
        return flask_answer(_logged(error))

    app.register_error_handler(Exception, answer)

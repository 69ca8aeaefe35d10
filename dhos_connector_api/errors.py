"""Every failure the Connector names, one type per cause; `http/problems.py` turns them into HTTP."""

from collections.abc import Mapping, Sequence

from dhos_connector_api.causes import Fault

#: What does not fit, by field; nothing that was sent.
Details = dict[str, list[str]]


class ConnectorError(Exception):
    """A named failure. Its text is safe to log and to send out: it never quotes input."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @property
    def full_text(self) -> str:
        """Return the text with what only those may read who run the Connector."""
        return self.text


class BadSetting(ConnectorError):
    """A setting is missing or cannot be used; the text names it on one line."""


class BadSite(ConnectorError):
    """The site's configuration cannot be read or does not fit; the text names the entry."""


class SiteUnavailable(ConnectorError):
    """The site's configuration has not been fetched yet; the same request may succeed soon (HTTP 503)."""


class BadInput(ConnectorError):
    """The caller sent something that cannot be taken (HTTP 400).

    `details` may say which fields do not fit and why; like the text it never quotes input.
    """

    def __init__(self, text: str, details: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(text)
        self.details = details or {}


class InvalidFields(BadInput):
    """Fields of a body do not fit what is stored or may be (HTTP 400); `details` says which, and why."""

    def __init__(self, details: Mapping[str, Sequence[str]]) -> None:
        super().__init__("the body does not fit", details)


class NotRead(ConnectorError):
    """The body is kept, but a fault of ours kept us from reading it (HTTP 500); a replay takes it."""


class BodyTooLarge(ConnectorError):
    """The body is longer than MAX_BODY_BYTES (HTTP 413)."""


class Overloaded(ConnectorError):
    """There is more to do than can be taken on now; the same request may succeed soon (HTTP 503)."""


class Stopping(ConnectorError):
    """The process has been told to stop; another one takes what comes (HTTP 503)."""


class ClientGone(ConnectorError):
    """The client has left, and nobody waits for the answer any more; nothing is sent."""


class NotFound(ConnectorError):
    """There is nothing under that name (HTTP 404)."""


class Conflict(ConnectorError):
    """The request is understood, but what it asks no longer fits what is stored (HTTP 409)."""


class PreconditionFailed(ConnectorError):
    """The object is not, or not any more, in the version that If-Match names (HTTP 412)."""


class KeyReused(ConnectorError):
    """An Idempotency-Key came again with another request (HTTP 422)."""


class SourceNotAllowed(ConnectorError):
    """The API key is valid, but belongs to another source than the request speaks for (HTTP 403)."""


class NotAvailableHere(ConnectorError):
    """This installation does not offer the operation (HTTP 501)."""


class StorageUnavailable(ConnectorError):
    """PostgreSQL did not answer in time; the same request may succeed soon (HTTP 503).

    `fault` is what is known of its cause; the log has it already.
    """

    def __init__(self, text: str, fault: Fault | None = None) -> None:
        super().__init__(text)
        self.fault = fault

    @property
    def full_text(self) -> str:
        """Return the text and, where it is known, which server it is and what is wrong with it."""
        return f"{self.text} ({self.fault})" if self.fault else self.text


class NotMigrated(StorageUnavailable):
    """The database lacks a table or column of this build: `migrate` has not run yet (HTTP 503)."""


class StorageBusy(StorageUnavailable):
    """One statement waited too long for another's work; PostgreSQL itself is there (HTTP 503)."""


class BrokerUnavailable(ConnectorError):
    """RabbitMQ did not answer; no request depends on it, only workers meet this."""


class TokenRejected(ConnectorError):
    """The token is missing, unreadable, expired or not from an issuer we know (HTTP 401)."""


class UnknownIssuer(TokenRejected):
    """No key of an issuer known here made the token's signature (HTTP 401)."""


class SignatureRejected(ConnectorError):
    """The request is not signed by anybody who knows the endpoint's secret (HTTP 401)."""


class IssuerNotAllowed(ConnectorError):
    """The token is valid, but its issuer may not call this operation (HTTP 403)."""


class ScopeMissing(ConnectorError):
    """The token is valid, but lacks a scope that the operation needs (HTTP 403)."""


class RightMissing(ConnectorError):
    """The person is known, but none of his roles allows this operation (HTTP 403)."""


class WrongMediaType(ConnectorError):
    """The body has a Content-Type that the operation does not take (HTTP 415)."""


class WrongCoding(WrongMediaType):
    """The body has a Content-Encoding that is not taken (HTTP 415); Accept-Encoding says which one is."""


class UnreadableMessage(ConnectorError):
    """The bytes hold no readable MSH segment: nothing to acknowledge (HTTP 400)."""

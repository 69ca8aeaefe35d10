"""CDA documents to Mirth: the SOAP operation acceptMessage(arg0), by zeep over our own HTTP.

Delivered means that the operation returned. What it returned is kept as the acknowledgement and not
judged: it is whatever the channel's author chose, even where it looks like a negative HL7 ACK.
"""

import base64
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus

import zeep
from zeep.proxy import ServiceProxy

from dhos_connector_api import clock
from dhos_connector_api.actions.hl7.facts import storable
from dhos_connector_api.deliveries.rules.outcome import (
    LONGEST_DETAIL,
    Accepted,
    DeliveryFailed,
    Kind,
    Outgoing,
)
from dhos_connector_api.deliveries.transports import http
from dhos_connector_api.deliveries.transports.soap import Fault, read_answer
from dhos_connector_api.deliveries.transports.wsdl import (
    OPERATION,
    SETTINGS,
    OneHost,
    Service,
    describe,
    unusable,
)

#: After that the WSDL is fetched anew.
DESCRIPTION_LIFE = timedelta(hours=1)
#: Fault codes of SOAP 1.1 and 1.2 that lay it on what was sent, and on the server.
_OURS = frozenset({"Client", "Sender", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"})
_THEIRS = frozenset({"Server", "Receiver"})
#: HTTP statuses that come with faults (SOAP 1.1 section 6.2, SOAP 1.2 part 2 section 7.5.1.2).
_WITH_FAULT = (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)


class MirthTransport:
    """Sends to the Mirth at `url_base` in the user's name, or without one. Threads may share one.

    `now` is aware: the age of the WSDL, and what a Retry-After that is a date counts from.
    """

    def __init__(
        self,
        url_base: str,
        username: str | None = None,
        password: str | None = None,
        *,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._url_base = url_base
        self._credentials = {"Authorization": _basic(username, password or "")} if username else {}
        self._now = now
        self._describing = threading.Lock()
        self._described: tuple[datetime, Service] | None = None

    def __call__(self, outgoing: Outgoing) -> Accepted:
        """Send one document, fetching the WSDL first where need be, in `outgoing.seconds` altogether.

        Raises DeliveryFailed unless acceptMessage returned.
        """
        until = clock.monotonic() + outgoing.seconds
        headers = {**self._credentials, "X-Request-ID": outgoing.correlation_id}
        document = _text(outgoing.body)
        transport = OneHost(self._url_base, document, headers, until=until, now=self._now)
        reply = _call(self._service(transport, until), transport, document)
        return judge(reply, self._now())

    def _service(self, transport: OneHost, until: float) -> Service:
        """Mirth's description, at most an hour old; one thread fetches it, and others wait for that."""
        if found := self._fresh():
            return found
        if not self._describing.acquire(timeout=max(0.0, until - clock.monotonic())):
            raise DeliveryFailed(Kind.TRANSIENT, "its WSDL is still being fetched", contacted=False)
        try:
            if found := self._fresh():
                return found
            found = describe(transport, f"{self._url_base}?wsdl")
            self._described = self._now(), found
            return found
        finally:
            self._describing.release()

    def _fresh(self) -> Service | None:
        described = self._described
        if described and timedelta() <= self._now() - described[0] < DESCRIPTION_LIFE:
            return described[1]
        return None


def _basic(username: str, password: str) -> str:
    """The Authorization of a user and his password (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def judge(reply: http.Reply, now: datetime) -> Accepted:
    """Return what Mirth's answer means. Raises DeliveryFailed unless acceptMessage returned.

    A fault is read whatever the status; its code decides where SOAP sends faults with that status,
    else the status does.
    """
    answer = read_answer(reply)
    if isinstance(answer, Fault):
        raise _faulted(answer, reply, now, coded=reply.succeeded or reply.status in _WITH_FAULT)
    if not reply.succeeded:
        raise http.refusal(reply, now)
    if answer is None:
        raise DeliveryFailed(Kind.AMBIGUOUS, "answered without SOAP", http_status=reply.status)
    return Accepted(reply.status, ack=answer.value.encode() or None)


def _text(document: bytes) -> str:
    try:
        return document.decode()
    except UnicodeDecodeError:
        raise DeliveryFailed(Kind.PERMANENT, "the document is not in UTF-8") from None


def _call(service: Service, transport: OneHost, document: str) -> http.Reply:
    """Call acceptMessage with the document. Raises DeliveryFailed."""
    try:
        client = zeep.Client(service.document, transport=transport, settings=SETTINGS)  # type: ignore[no-untyped-call]
        proxy = ServiceProxy(client, service.binding, address=service.address)  # type: ignore[no-untyped-call]
        reply: http.Reply = proxy[OPERATION](arg0=document)
        return reply
    except DeliveryFailed:
        raise
    except Exception as error:  # noqa: BLE001  sending is the last thing zeep does: nothing was sent
        raise unusable(error) from None


def _faulted(fault: Fault, reply: http.Reply, now: datetime, *, coded: bool) -> DeliveryFailed:
    """A fault as a failure; an unknown code is taken for one that may pass."""
    refusal = http.refusal(reply, now)
    kind = refusal.kind
    if coded:
        kind = Kind.PERMANENT if fault.code in _OURS else Kind.TRANSIENT
    code = fault.code if fault.code in _OURS | _THEIRS else "of its own"
    return DeliveryFailed(
        kind,
        f"answered with a SOAP fault ({code})",
        detail=storable(fault.text)[:LONGEST_DETAIL] or None,
        http_status=reply.status,
        retry_after=refusal.retry_after if kind is Kind.TRANSIENT else None,
    )

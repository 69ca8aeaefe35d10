"""The transport zeep uses, which reaches Mirth's address alone, and Mirth's WSDL as zeep understands it.

The WSDL names addresses inside the hospital: every one is taken as a path on the configured host.
Only plain XML is handed to zeep, and not much of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import quote, urljoin, urlsplit

import zeep
from zeep.wsdl import Document
from zeep.wsdl.bindings.soap import SoapBinding

from dhos_connector_api import clock
from dhos_connector_api.deliveries.cda.plain_xml import MOST_LEVELS, Path, read_plain
from dhos_connector_api.deliveries.rules.outcome import DeliveryFailed, Kind
from dhos_connector_api.deliveries.transports import http
from dhos_connector_api.errors import BadInput

OPERATION = "acceptMessage"
SETTINGS = zeep.Settings(
    strict=True,
    raw_response=True,  # `soap.py` reads the answers
    force_https=False,
    forbid_dtd=True,
    forbid_entities=True,
    forbid_external=True,
)
#: Of one description, WSDL and XSD together; Mirth's has two files of 4 kB, and no groups.
MOST_FILES = 20
MOST_BYTES = 1_000_000
#: References to groups, which multiply where groups refer to groups.
MOST_GROUPS = 8
#: Statuses that say the credentials are wrong, which no later attempt will mend.
_UNKNOWN_USER = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_PATH_CHARACTERS = "/%:;=@$,~!*'()&+-._"


@dataclass(frozen=True, slots=True)
class Service:
    """Where and how to call acceptMessage: two objects of zeep's, and the address on our host."""

    document: Any
    binding: Any
    address: str


@dataclass(slots=True)
class _Limits:
    """Counts what a description has."""

    deepest: int = MOST_LEVELS
    longest_text: int = 0
    files: int = 0
    length: int = 0
    groups: int = 0

    def count(self, content: bytes) -> None:
        """Take one more file in. Raises BadInput when it is not plain XML, or too much."""
        self.files += 1
        self.length += len(content)
        if self.files > MOST_FILES or self.length > MOST_BYTES:
            raise BadInput(f"it is longer than {MOST_FILES} files or {MOST_BYTES} bytes")
        read_plain(content, self)

    def opened(self, path: Path, attributes: dict[str, str]) -> bool:
        """Count references to groups."""
        self.groups += "ref" in attributes and path[-1].endswith((" group", " attributeGroup"))
        if self.groups > MOST_GROUPS:
            raise BadInput(f"it has more than {MOST_GROUPS} references to groups")
        return False

    def closed(self, path: Path, text: str) -> None:
        """Do nothing: no element's text is asked for."""


class OneHost(zeep.Transport):
    """Zeep's way out for one attempt to send `document`: to the host of `url_base`, with `headers`.

    `until` is on the monotonic clock. It has no session of requests, which would follow redirects,
    ask proxies and read files. What fails raises DeliveryFailed.
    """

    _close_session = False

    def __init__(
        self,
        url_base: str,
        document: str,
        headers: Mapping[str, str],
        *,
        until: float,
        now: Callable[[], datetime],
    ) -> None:
        self._base = http.address(url_base)
        self._document = document
        self._headers = headers
        self._until = until
        self._now = now
        self._limits = _Limits()

    def here(self, url: str) -> str:
        """Return the same path and query on the configured host. Raises ValueError for other than HTTP."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("no HTTP")
        path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
        query = quote(parts.query, safe=f"{_PATH_CHARACTERS}?")
        return f"{self._base.scheme}://{self._base.netloc}{path}" + (f"?{query}" if query else "")

    def load(self, url: str) -> bytes:
        """Fetch a WSDL or XSD. Raises DeliveryFailed: TRANSIENT, but for wrong credentials."""
        try:
            reply = self._send("GET", self.here(url), {})
            if reply.status != HTTPStatus.OK:
                raise http.refusal(reply, self._now())
            self._limits.count(reply.body)
        except DeliveryFailed as failed:
            if failed.http_status in _UNKNOWN_USER:
                raise
            raise DeliveryFailed(
                Kind.TRANSIENT,
                f"its WSDL: {failed.text}",
                http_status=failed.http_status,
                retry_after=failed.retry_after,
            ) from None
        except (BadInput, ValueError) as error:
            raise unusable(error) from None
        return reply.body

    def post_xml(self, address: str, envelope: Any, headers: Mapping[str, str]) -> http.Reply:
        """Send zeep's envelope, once it is seen to hold the document: an odd XSD makes zeep drop it."""
        if self._document not in [each.text for each in envelope.iter("{*}arg0")]:
            raise unusable(ValueError("another argument"))
        reply: http.Reply = super().post_xml(address, envelope, headers)  # type: ignore[no-untyped-call]
        return reply

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> http.Reply:
        """Send the envelope. Raises DeliveryFailed: AMBIGUOUS once something was sent."""
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise unusable(ValueError("a SOAP action that fits no header"))
        return self._send("POST", address, headers, message)

    def get(self, address: str, params: object, headers: object) -> NoReturn:
        """Raise DeliveryFailed: only bindings that are not SOAP would ask for it."""
        raise unusable(ValueError("no SOAP"))

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> http.Reply:
        left = self._until - clock.monotonic()
        return http.request(method, url, seconds=left, headers={**headers, **self._headers}, body=body)


def describe(transport: OneHost, url: str) -> Service:
    """Fetch and understand the WSDL at `url`. Raises DeliveryFailed, TRANSIENT: it may be mended."""
    try:
        # What it forbids includes the XSD; meanwhile `load` is the only way out.
        with SETTINGS(forbid_external=False):
            document = Document(url, transport, settings=SETTINGS)  # type: ignore[arg-type]
        return _service(document, transport, url)
    except DeliveryFailed:
        raise
    except Exception as error:  # noqa: BLE001  zeep fails in every way on a WSDL that is nonsense
        raise unusable(error) from None


def unusable(error: Exception) -> DeliveryFailed:
    """Return the failure for a WSDL that makes no sense; the hospital may mend it."""
    cause = error.text if isinstance(error, BadInput) else type(error).__name__
    return DeliveryFailed(Kind.TRANSIENT, f"its WSDL cannot be used ({cause})")


def _service(document: Any, transport: OneHost, url: str) -> Service:
    """The first SOAP port with the operation. Raises LookupError when there is none."""
    for service in document.services.values():
        for port in service.ports.values():
            if isinstance(port.binding, SoapBinding) and OPERATION in port.binding.all():  # type: ignore[no-untyped-call]
                location = (port.binding_options or {}).get("address") or url.partition("?")[0]
                return Service(document, port.binding, transport.here(urljoin(url, location)))
    raise LookupError("no such operation")

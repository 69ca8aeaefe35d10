"""TLS for listeners: the context of one, and the names in a client's certificate."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from dhos_connector_api import tls as contexts
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.mllp.terms import Listener


def context(listener: Listener) -> ssl.SSLContext | None:
    """Return the listener's TLS 1.2+ context, None without TLS. Raises BadSetting for unusable files."""
    tls = listener.tls
    if tls is None:
        return None
    required = tls.client_certificate == "required"
    try:
        return contexts.server_context(tls.certificate, tls.key, tls.client_ca, required=required)
    except (OSError, ValueError):
        raise BadSetting(
            f"MLLP_LISTENERS: certificate, key or client_ca of {listener.name} cannot be used"
        ) from None


def names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the common and alternative names, in lower case, of a certificate from `getpeercert`."""
    return frozenset(name.lower() for name in _names(certificate or {}))


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for part in certificate.get("subject", ()):
        yield from (value for kind, value in part if kind == "commonName")
    yield from (value for kind, value in certificate.get("subjectAltName", ()) if isinstance(value, str))

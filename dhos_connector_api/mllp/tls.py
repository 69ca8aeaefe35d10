"""TLS for listeners: the context of one, and the names in a client's certificate."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from dhos_connector_api.errors import BadSetting
from dhos_connector_api.mllp.listeners import Listener


def context(listener: Listener) -> ssl.SSLContext | None:
    """The listener's TLS 1.2+ context, None without TLS. Raises BadSetting where its files cannot be used."""
    tls = listener.tls
    if tls is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(tls.certificate, tls.key, password=_no_password)
        if tls.client_ca is not None:
            made.load_verify_locations(tls.client_ca)
            required = tls.client_certificate == "required"
            made.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    except (ssl.SSLError, OSError, ValueError):
        raise BadSetting(
            f"MLLP_LISTENERS: certificate, key or client_ca of {listener.name} cannot be used"
        ) from None
    return made


def _no_password() -> str:
    """An encrypted key would have OpenSSL ask for its password on the terminal; it gets none."""
    return ""


def names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Common name and alternative names of a certificate as `getpeercert` gives it, in lower case."""
    return frozenset(name.lower() for name in _names(certificate or {}))


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for part in certificate.get("subject", ()):
        yield from (value for kind, value in part if kind == "commonName")
    yield from (value for kind, value in certificate.get("subjectAltName", ()) if isinstance(value, str))

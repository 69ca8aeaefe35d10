"""TLS as we speak it on either side: 1.2 at least, with the certificates of files.

Raises OSError (ssl.SSLError is one) or ValueError where a file cannot be used; who calls says whose it was.
"""

import ssl
from pathlib import Path


def client_context(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """A client's, which looks at the server's certificate and the name in it.

    `ca` None: the authorities of this machine. `certificate` and `key` are ours, for servers that ask
    for one.
    """
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key, password=_no_password)
    return context


def server_context(certificate: Path, key: Path, client_ca: Path | None, *, required: bool) -> ssl.SSLContext:
    """A server's. `client_ca` is whose certificates clients have, `required` whether each needs one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password=_no_password)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def _no_password() -> str:
    """An encrypted key would have OpenSSL ask for its password on the terminal; it gets none."""
    return ""

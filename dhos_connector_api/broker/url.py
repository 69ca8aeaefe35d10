"""How RabbitMQ is found: `amqps://user:password@host1,host2:5671/vhost`, and lists of hosts (pure).

What cannot be read raises ValueError, whose text follows the setting's name and never quotes the value.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

#: A host, perhaps with a port; an IPv6 address stands in brackets, or without a port by itself.
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_HIGHEST_PORT = 65535
#: Hosts with their ports; None: the usual one.
Hosts = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """What stands in an address; None where it says nothing."""

    hosts: Hosts
    tls: bool
    vhost: str | None
    username: str | None
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ManagementUrl:
    """What stands before `/api/`, and who we are there; None where the address says nothing."""

    url: str
    username: str | None
    password: str | None = field(repr=False)

    @property
    def tls(self) -> bool:
        """Return whether TLS is spoken there."""
        return self.url.startswith("https:")


def management_url(value: str) -> ManagementUrl:
    """Read the address of a management API: `https://user:password@host:15671/prefix`, or without a user."""
    try:
        parts = urlsplit(value)
        credentials, _, place = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        plain = (
            value.isascii() and value.isprintable() and not set(" ?#") & set(value) and "@" not in parts.path
        )
        if not plain or parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
        path = parts.path.rstrip("/")
        return ManagementUrl(
            f"{parts.scheme}://{place}{path}", unquote(username) or None, unquote(password) or None
        )
    except ValueError:  # its text may quote the value
        raise ValueError("must be an address such as https://user:password@host:15671") from None


def hosts(value: str) -> Hosts:
    """Read one host or several: `mq1,mq2:5673,[::1]:5673,::1`."""
    found: list[tuple[str, int | None]] = []
    for each in map(str.strip, value.split(",")):
        if _BARE_IPV6.fullmatch(each):
            found.append((each, None))
            continue
        match = _HOST.fullmatch(each)
        if match is None or not 0 < int(match[3] or 1) <= _HIGHEST_PORT:
            raise ValueError("must be a host, or several with commas between, each with or without a port")
        found.append((match[1] or match[2], int(match[3]) if match[3] else None))
    return tuple(found)


def amqp_url(value: str) -> BrokerUrl:
    """Read an address; what is special in a name or a password is written as %40 and its like."""
    try:
        parts = urlsplit(value)
        credentials, _, places = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        if parts.scheme not in ("amqp", "amqps") or parts.query or parts.fragment:
            raise ValueError
        if set("/@") & set(parts.path[1:]):  # a `/` in a password: what stands before it was taken for a host
            raise ValueError
        return BrokerUrl(
            hosts(places),
            parts.scheme == "amqps",
            unquote(parts.path[1:]) or None,
            unquote(username) or None,
            unquote(password) or None,
        )
    except ValueError:  # its text may quote the value
        raise ValueError("must be an address such as amqps://user:password@host1,host2:5671/vhost") from None

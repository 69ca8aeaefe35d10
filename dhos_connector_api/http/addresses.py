"""The address a request comes from: behind proxies that are trusted, what they say."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from dhos_connector_api.config.values import Network

#: Of an IPv6 address its network counts: one client has many addresses of it.
_IPV6_PREFIX = 64
#: Where nothing is known.
UNKNOWN = "unknown"


def client_address(peer: str | None, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """Return who sent a request: its peer, or, if that is trusted, the last of X-Forwarded-For who is not.

    What stands before that one anybody may have written.
    """
    found = UNKNOWN
    for each in (peer or "", *reversed((forwarded_for or "").split(","))):
        try:
            address = ip_address(each.strip())
        except ValueError:
            return found
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        found = str(address)
        if isinstance(address, IPv6Address):
            found = str(ip_network(f"{address}/{_IPV6_PREFIX}", strict=False))
        if not any(address in network for network in trusted):
            return found
    return found

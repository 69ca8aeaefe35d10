"""Whose address counts: the peer's, or what a trusted proxy says of whom it has it from."""

from ipaddress import ip_network

import pytest

from dhos_connector_api.config.values import networks
from dhos_connector_api.http.addresses import UNKNOWN, client_address

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "told", "found"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3::4", None, "2001:db8:1:2::/64"),
        (None, "198.51.100.1", UNKNOWN),
        ("", None, UNKNOWN),
    ],
)
def test_only_who_is_trusted_is_believed(peer: str | None, told: str | None, found: str) -> None:
    assert client_address(peer, told, PROXIES) == found


def test_a_setting_names_networks() -> None:
    assert networks("10.0.0.0/8, fd00::/8") == PROXIES
    with pytest.raises(ValueError, match="must be addresses"):
        networks("10.0.0.1/8")

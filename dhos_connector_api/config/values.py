"""How the text of a setting is read, and which entries of a file did not fit.

What cannot be read raises ValueError, whose text follows the setting's name and never quotes the value.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Network = IPv4Network | IPv6Network

_DURATION = re.compile(r"(\d{1,12})\s*([smhd]?)")
_LONGEST_DURATION = 3650 * 86400
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def integer(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number of that range."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"\d{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def boolean(value: str) -> bool:
    """`true` or `false`, and the other words for it."""
    lowered = value.lower()
    if lowered not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
        raise ValueError("must be true or false")
    return lowered in ("true", "1", "yes", "on")


def choice(*allowed: str) -> Callable[[str], str]:
    """Reads one of these words, whatever its case, as it is written here."""

    def parse(value: str) -> str:
        for candidate in allowed:
            if value.lower() == candidate.lower():
                return candidate
        raise ValueError(f"must be one of {', '.join(allowed)}")

    return parse


def seconds(value: str) -> int:
    """A duration such as `45s`, `30m`, `12h` or `7d` in seconds."""
    match = _DURATION.fullmatch(value)
    if not match:
        raise ValueError("must be a duration such as 45s, 30m, 12h or 7d")
    found = int(match[1]) * _SECONDS[match[2]]
    if found > _LONGEST_DURATION:
        raise ValueError("must be a duration of at most ten years")
    return found


def url(value: str) -> str:
    """An http or https address, as it is."""
    try:
        parts = urlsplit(value)
        plain = value.isascii() and value.isprintable() and not set(" @?#") & set(value)
        usable = plain and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # its text quotes the value
        usable = False
    if not usable:
        raise ValueError("must be an http or https address, without a user, a query or a space")
    return value


def mllp_url(value: str) -> str:
    """An address of an MLLP receiver, as it is."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("mllp", "mllps") and parts.hostname and parts.port
    except ValueError:  # its text quotes the value
        usable = False
    if not usable or "@" in value or parts.path.strip("/") or parts.query:
        raise ValueError("must be an address such as mllp://host:2575, or mllps:// with TLS")
    return value


def zone(value: str) -> ZoneInfo:
    """An IANA time zone."""
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as Europe/London") from None


def networks(value: str) -> tuple[Network, ...]:
    """Addresses and networks, with commas between."""
    try:
        return tuple(ip_network(each.strip()) for each in value.split(","))
    except ValueError:  # its text quotes the value
        raise ValueError("must be addresses and networks such as 10.0.0.0/8, with commas between") from None


def redis_address(value: str) -> str:
    """An address of a Redis, as it is."""
    if not value.startswith(("redis://", "rediss://", "redis+unix://")):
        raise ValueError("must be an address such as redis://host:6379/0")
    return value


def misfits(messages: Any, path: str = "") -> str:
    """The entries that a ValidationError's messages name, never their values; list places count from 0."""
    if isinstance(messages, dict):
        inside = ((inner, f"{path}.{name}" if path else str(name)) for name, inner in messages.items())
        return ", ".join(misfits(inner, place) for inner, place in inside)
    return path

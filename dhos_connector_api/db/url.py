"""How an address of PostgreSQL is read: `postgresql://user:password@host1,host2:5433/name?sslmode=verify-full`.

What cannot be read raises ValueError, whose text follows the setting's name and never quotes the value.
"""

import re
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import conninfo_to_dict

#: In libpq's words.
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_KNOWN = frozenset(("host", "port", "dbname", "user", "password", "target_session_attrs", *_TLS))
_USUAL_PORT = "5432"
_HIGHEST_PORT = 65535
#: A name, an address of IPv4 or IPv6, or the folder of a Unix socket. What is special in a password and was
#: not written as %40 and its like makes libpq take a part of the password for a host or a port, which a log
#: would show.
_HOST = re.compile(r"[A-Za-z0-9._:-]+(%[A-Za-z0-9._-]+)?|/[^@:,]*")
_UNREADABLE = (
    "must be an address such as postgresql://user:password@host1,host2:5433/name?sslmode=verify-full"
)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """What stands in an address. `host` and `port` may be several, with commas between."""

    host: str
    port: str
    name: str
    user: str
    password: str | None = field(repr=False)
    tls: tuple[tuple[str, str], ...]


def database_url(value: str) -> DatabaseUrl:
    """Read an address. Of several hosts the one that writes is used, whatever it says of that."""
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError(_UNREADABLE)
    try:
        found = {name: str(text) for name, text in conninfo_to_dict(value).items()}
    except psycopg.ProgrammingError:  # its text may quote the value
        raise ValueError(_UNREADABLE) from None
    if unknown := sorted(found.keys() - _KNOWN):
        raise ValueError(f"says what is not for it to say: {', '.join(unknown)}")
    if found.get("target_session_attrs", "read-write") != "read-write":
        raise ValueError("must leave target_session_attrs at read-write")
    if not found.get("host") or found.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError(_UNREADABLE)
    hosts, ports = _places(found["host"], found.get("port", ""))
    before_slash, _, after = value.partition("?")[0].partition("://")[2].partition("/")
    if before_slash.count("@") > 1 or "@" in after:
        raise ValueError(_UNREADABLE)
    return DatabaseUrl(
        host=",".join(hosts),
        port=",".join(ports),
        name=found.get("dbname", "dhos-connector-api"),
        user=found.get("user", "dhos-connector-api"),
        password=found.get("password"),
        tls=tuple((name, found[name]) for name in _TLS if name in found),
    )


def _places(host: str, port: str) -> tuple[list[str], list[str]]:
    """Return each host, and the port of each."""
    hosts = host.split(",")
    ports = [one or _USUAL_PORT for one in port.split(",")]
    ports = ports * len(hosts) if len(ports) == 1 else ports
    fit = all(_HOST.fullmatch(one) for one in hosts) and all(_is_port(one) for one in ports)
    if not fit or len(ports) != len(hosts):
        raise ValueError(_UNREADABLE)
    return hosts, ports


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) <= _HIGHEST_PORT

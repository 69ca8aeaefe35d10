"""Whether PostgreSQL can be trusted with what is acknowledged: it writes, and keeps what it has committed."""

from sqlalchemy import Connection, text

_UNSAFE = text(
    "SELECT name FROM (VALUES ('fsync'), ('full_page_writes')) AS one(name)"
    " WHERE current_setting(name) = 'off' ORDER BY name"
)


def is_writable(connection: Connection) -> bool:
    """Return whether this session may write: its server is no standby, and was not told only to read."""
    found: str = connection.execute(text("SHOW transaction_read_only")).scalar_one()
    return found == "off"


def unsafe_settings(connection: Connection) -> list[str]:
    """Return those settings of the server, as `name=off`, with which a crash loses what was committed."""
    return [f"{name}=off" for (name,) in connection.execute(_UNSAFE)]

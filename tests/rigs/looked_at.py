"""How much of the outbox a transaction has looked at."""

from sqlalchemy import Connection, text

_READ = text(
    "SELECT pg_stat_get_xact_tuples_returned('outbox'::regclass)"
    " + (SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index"
    " WHERE indrelid = 'outbox'::regclass)"
)


def looked_at(connection: Connection) -> int:
    """Rows, and entries of indexes, that the transaction under way has read so far."""
    return int(connection.execute(_READ).scalar_one())

"""What PostgreSQL knows of itself, for people: sizes, statements, replication. Nothing of what is stored.

Of a statement only its first word is shown, as what stands in it may be of a patient.
"""

from typing import Any

from sqlalchemy import Connection, text

_SIZES = text("""
SELECT c.relname AS name, c.relkind::text AS kind, pg_relation_size(c.oid) AS bytes,
    CASE WHEN c.relkind = 'r' THEN pg_total_relation_size(c.oid) END AS bytes_with_indexes,
    c.reltuples::bigint AS rows_about, s.n_dead_tup AS dead_rows_about,
    s.last_autovacuum, s.last_autoanalyze
FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')
ORDER BY pg_relation_size(c.oid) DESC, c.relname LIMIT 500
""")
_FIRST_WORD = "upper(substring(query from '^\\s*([A-Za-z]{1,20})'))"
_ACTIVITY = text(f"""
SELECT pid, application_name = 'dhos-connector-api' AS is_ours, backend_type, state,
    wait_event_type, wait_event, extract(epoch FROM now() - query_start) AS statement_seconds,
    extract(epoch FROM now() - xact_start) AS transaction_seconds, {_FIRST_WORD} AS first_word,
    cardinality(pg_blocking_pids(pid)) AS blocked_by
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
ORDER BY query_start LIMIT 200
""")  # noqa: S608  constants only
_STATEMENTS = text(f"""
SELECT queryid::text AS id, {_FIRST_WORD} AS first_word, calls, total_exec_time AS total_milliseconds,
    mean_exec_time AS mean_milliseconds, max_exec_time AS longest_milliseconds, rows
FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY total_exec_time DESC LIMIT 50
""")  # noqa: S608  constants only
_REPLICATION = text("""
SELECT state, sync_state, extract(epoch FROM replay_lag) AS replay_lag_seconds,
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END, replay_lsn)
        AS bytes_behind
FROM pg_stat_replication
""")
_SLOTS = text("""
SELECT slot_type, active, wal_status,
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END, restart_lsn)
        AS bytes_kept
FROM pg_replication_slots
""")
_SERVER_SETTINGS = (
    *("server_version", "max_connections", "shared_buffers", "work_mem", "fsync", "full_page_writes"),
    *("synchronous_commit", "default_transaction_read_only", "wal_level", "autovacuum", "max_wal_size"),
)


def server(connection: Connection) -> dict[str, Any]:
    """Return the version and the settings of the server that matter here, and how it is used."""
    shown = {
        name: connection.execute(text("SELECT current_setting(:name, true)"), {"name": name}).scalar_one()
        for name in _SERVER_SETTINGS
    }
    used = connection.execute(
        text(
            "SELECT numbackends AS connections, xact_commit AS commits, xact_rollback AS rollbacks,"
            " deadlocks, temp_bytes, pg_database_size(current_database()) AS bytes, pg_is_in_recovery()"
            " AS is_standby FROM pg_stat_database WHERE datname = current_database()"
        )
    )
    return {"settings": shown, **used.mappings().one()}


def sizes(connection: Connection) -> list[dict[str, Any]]:
    """Return tables and indexes, the largest first, with their bytes and about how many rows they have."""
    return _rows(connection, _SIZES)


def statements(connection: Connection) -> dict[str, Any]:
    """Return what runs now, the longest first, and where pg_stat_statements is installed what took most."""
    found: dict[str, Any] = {"now": _rows(connection, _ACTIVITY)}
    installed = text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'")
    if connection.execute(installed).scalar_one():
        found["since_statistics_were_reset"] = _rows(connection, _STATEMENTS)
    return found


def replication(connection: Connection) -> dict[str, Any]:
    """Return how far standbys are behind, and what replication slots keep."""
    return {"standbys": _rows(connection, _REPLICATION), "slots": _rows(connection, _SLOTS)}


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]

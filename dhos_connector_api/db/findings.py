"""Findings about the database: its version, whether it writes and keeps what it has committed, its clock."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db import durability, migrate
from dhos_connector_api.db.finding import Finding

_SUBJECT = "PostgreSQL"
_OLDEST = 140_000  # as `server_version_num` has it
#: Seconds by which clocks may differ; the share of its connections that a server may have in use.
_MOST_SKEW, _MOST_USED = 2.0, 0.9
_SERVER = text(
    "SELECT current_setting('server_version') AS version,"
    " current_setting('server_version_num')::int AS number,"
    " clock_timestamp() AS time,"
    " current_setting('max_connections')::int AS most,"
    " (SELECT count(*) FROM pg_stat_activity) AS used,"
    " (SELECT count(*) FROM pg_stat_replication) AS standbys,"
    " current_setting('synchronous_standby_names') AS waits_for"
)


def findings(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return what there is to say of the server and of its schema."""
    server = connection.execute(_SERVER).one()
    old = server.number < _OLDEST
    yield Finding(_SUBJECT, f"version {server.version}", "14 is the oldest that is supported" if old else "")
    if durability.is_writable(connection):
        yield Finding(_SUBJECT, "writes")
    else:
        yield Finding(_SUBJECT, "only reads", "promote it, or name all hosts in DATABASE_HOST")
    if migrate.is_at_head(connection):
        yield Finding(_SUBJECT, "has every migration")
    else:
        yield Finding(_SUBJECT, "is not at the newest migration", "connector migrate")
    yield _durable(durability.unsafe_settings(connection), settings.of(ServiceSettings).is_production)
    if server.standbys:
        yield _standbys(server.standbys, server.waits_for)
    skew = abs((server.time - clock.now()).total_seconds())
    clocks = f"its clock and ours differ by {skew:.1f} s"
    yield Finding(_SUBJECT, clocks, "leases need clocks that agree: NTP" if skew > _MOST_SKEW else "")
    full = server.used > _MOST_USED * server.most
    used = f"{server.used} of {server.most} connections are used"
    yield Finding(_SUBJECT, used, "raise max_connections, or lower WEB_THREADS" if full else "")


def _durable(unsafe: Sequence[str], in_production: bool) -> Finding:
    if not unsafe:
        return Finding(_SUBJECT, "keeps what it has committed")
    advice = "a crash loses what was acknowledged: set them to on" if in_production else ""
    return Finding(_SUBJECT, f"runs with {' and '.join(unsafe)}", advice)


def _standbys(standbys: int, waits_for: str) -> Finding:
    if waits_for:
        return Finding(_SUBJECT, f"has {standbys} standby, and a commit waits for one")
    text_ = (
        f"has {standbys} standby, and no commit waits for it: what was acknowledged last may go in a failover"
    )
    return Finding(_SUBJECT, text_)

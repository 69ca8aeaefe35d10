"""Waits until every entry of the audit trail can be sealed."""

from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from tests.rigs.waiting import eventually

_SETTLED = text(
    "SELECT coalesce(max(txid), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM audit_event"
    " WHERE epoch = (SELECT system_identifier FROM pg_control_system())"
)


def wait_until_settled(database: Database) -> None:
    """Return once nothing that runs on the server is older than the entries of the trail.

    The server's other databases count too, and those are other tests' here.
    """

    def settled() -> bool:
        with database.statements() as connection:
            return bool(connection.execute(_SETTLED).scalar())

    eventually(settled, seconds=60)

"""Runs the migrations, for flask-migrate and for `python -m dhos_connector_api migrate`.

Either hands over a connection in `config.attributes`, or a Flask application context is there.
"""

from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import Connection

from dhos_connector_api.db.metadata import db

config = context.config

#: How the names of partitions begin.
_PARTITIONED = ("message_body_", "audit_event_")


def _own_tables(object_: object, name: str | None, type_: str, reflected: bool, compare_to: object) -> bool:
    """Leave the partitions out: housekeeping makes and drops them, and no model declares them."""
    return not (type_ == "table" and name is not None and name.startswith(_PARTITIONED))


def _numbered(_context: object, _revision: object, directives: list[MigrationScript]) -> None:
    """Number a new migration after the newest; write none where nothing has changed."""
    for script in directives:
        if script.upgrade_ops is not None and script.upgrade_ops.is_empty():
            directives.clear()
            return
        newest = ScriptDirectory.from_config(config).get_current_head() or "0000"
        script.rev_id = f"{int(newest) + 1:04}"


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        include_object=_own_tables,
        transaction_per_migration=True,
        process_revision_directives=_numbered,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_over = config.attributes.get("connection")
if handed_over is not None:
    _run(handed_over)
else:
    engine = current_app.extensions["migrate"].db.engine
    with engine.execution_options(isolation_level="READ COMMITTED").connect() as own:
        _run(own)

"""Runs the migrations, for flask-migrate and for `python -m dhos_connector_api migrate`.

Either hands over a connection in `config.attributes`, or a Flask application context is there.
"""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from dhos_connector_api.db.metadata import db

config = context.config


def _own_tables(object_: object, name: str | None, type_: str, reflected: bool, compare_to: object) -> bool:
    """Leave the month partitions out: housekeeping makes and drops them."""
    return not (type_ == "table" and name is not None and name.startswith("message_body_"))


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        include_object=_own_tables,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_over = config.attributes.get("connection")
if handed_over is not None:
    _run(handed_over)
else:
    with current_app.extensions["migrate"].db.engine.connect() as own:
        _run(own)

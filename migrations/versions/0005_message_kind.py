"""The kind of a message in a column of its own.

Messages that are there have the kind of most of them until 0006 has filled in the others: with a
default, adding the column rewrites no row. It is dropped again, so that what the build before writes
has none, and is told apart when it is read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("kind", sa.Text, nullable=True, server_default="hl7"))
    op.alter_column("message", "kind", server_default=None)


def downgrade() -> None:
    op.drop_column("message", "kind")

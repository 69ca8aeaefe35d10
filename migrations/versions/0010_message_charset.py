"""The character set that the door of a message named, and what a message was read in spite of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("door_charset", sa.Text(), nullable=True))
    op.add_column("message", sa.Column("remarks", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("message", "remarks")
    op.drop_column("message", "door_charset")

"""The door a message came through."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("door", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("message", "door")

"""What an accepted message left out of its actions. Builds that know nothing of it leave it empty."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("left_out", JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("message", "left_out")

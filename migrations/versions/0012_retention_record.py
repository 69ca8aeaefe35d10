"""What retention has removed: a row for each table and day. Builds that know nothing of it write none."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_record",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("removed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("oldest", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("newest", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", "day", name="retention_record_pkey"),
    )


def downgrade() -> None:
    op.drop_table("retention_record")

"""Envelopes that a consumer could not apply: tried again for a while, then parked until somebody looks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parked",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("arrived_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("tried_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_at", TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "message_id", name="parked_pkey"),
    )
    op.create_index(
        "parked_next_at", "parked", ["next_at"], unique=False, postgresql_where=sa.text("next_at IS NOT NULL")
    )
    op.create_index("parked_arrived_at", "parked", ["arrived_at"], unique=False)


def downgrade() -> None:
    op.drop_index("parked_arrived_at", table_name="parked")
    op.drop_index("parked_next_at", table_name="parked", postgresql_where=sa.text("next_at IS NOT NULL"))
    op.drop_table("parked")

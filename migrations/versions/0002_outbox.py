"""The outbox: envelopes that wait for the relay, and those it has published."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = TIMESTAMP(timezone=True)
WAITING = sa.text("published_at IS NULL AND dead_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("published_at", TIME),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("dead_at", TIME),
        sa.Column("last_error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="outbox_pkey"),
    )
    op.create_index(
        "outbox_waiting", "outbox", ["sender", "routing_key", "position"], postgresql_where=WAITING
    )
    op.create_index("outbox_message_uuid", "outbox", ["message_uuid"])
    op.create_index(
        "outbox_published_at",
        "outbox",
        ["published_at"],
        postgresql_where=sa.text("published_at IS NOT NULL"),
    )
    op.create_index("outbox_dead", "outbox", ["position"], postgresql_where=sa.text("dead_at IS NOT NULL"))
    # A queue: every row is inserted, updated once and deleted. Dead index entries are what slows it.
    op.execute(
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,"
        " autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,"
        " autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000,"
        " autovacuum_vacuum_cost_delay = 0)"
    )


def downgrade() -> None:
    op.drop_table("outbox")

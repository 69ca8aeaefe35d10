"""Deliveries: messages on their way to the hospital, and each attempt at them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = TIMESTAMP(timezone=True)
NONE = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("series", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'waiting'")),
        sa.Column("created", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("lease", sa.Uuid()),
        sa.Column("leased_until", TIME),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=NONE),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=NONE),
        sa.Column("ambiguous", sa.Integer(), nullable=False, server_default=NONE),
        sa.Column("settled_at", TIME),
        sa.Column("superseded_by", sa.Uuid()),
        sa.Column("last_error", sa.Text()),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="delivery_pkey"),
    )
    _index("delivery_due", ["destination", "due_at", "position"], "state = 'waiting'")
    _index("delivery_sending", ["destination"], "state = 'sending'")
    _index("delivery_series", ["destination", "series", "position"], "series IS NOT NULL")
    _index("delivery_state", ["state", "uuid"], "state <> 'waiting'")
    op.create_index("delivery_message_uuid", "delivery", ["message_uuid"])
    op.add_column("message", sa.Column("title", sa.Text()))
    op.create_table(
        "delivery_attempt",
        sa.Column("delivery_uuid", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("seconds", sa.Float()),
        sa.Column("http_status", sa.Integer()),
        sa.Column("ack_code", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("delivery_uuid", "number", name="delivery_attempt_pkey"),
    )
    op.create_table(
        "delivery_destination",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=NONE),
        sa.Column("failing_since", TIME),
        sa.Column("held_until", TIME),
        sa.PrimaryKeyConstraint("name", name="delivery_destination_pkey"),
    )


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "delivery", columns, postgresql_where=sa.text(where))


def downgrade() -> None:
    for table in ("delivery_destination", "delivery_attempt", "delivery"):
        op.drop_table(table)
    op.drop_column("message", "title")

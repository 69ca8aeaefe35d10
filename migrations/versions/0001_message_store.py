"""The message store: facts, bodies by month, duplicate keys, identifiers, merges."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "message",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.Column("modified", TIME, nullable=False),
        sa.Column("modified_by", sa.Text()),
        sa.Column("src_description", sa.Text(), nullable=False),
        sa.Column("dst_description", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text()),
        sa.Column("event_code", sa.Text()),
        sa.Column("sending_application", sa.Text()),
        sa.Column("sending_facility", sa.Text()),
        sa.Column("message_control_id", sa.Text()),
        sa.Column("sent_at", TIME),
        sa.Column("ack_status", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_location", sa.Text()),
        sa.Column("error_text", sa.Text()),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("duplicate_of", sa.Uuid()),
        sa.Column("is_processed", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("processed_at", TIME),
        sa.Column("replayed_at", TIME),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="message_pkey"),
    )
    op.create_index("message_control_id", "message", [sa.text("left(message_control_id, 255)"), "uuid"])
    op.create_index(
        "message_unprocessed",
        "message",
        ["uuid"],
        postgresql_where=sa.text("state = 'accepted' AND NOT is_processed"),
    )
    op.create_table(
        "message_body",
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("received", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("charset", sa.Text()),
        sa.Column("ack", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("message_uuid", "created", name="message_body_pkey"),
        postgresql_partition_by="RANGE (created)",
    )
    # Catches what comes before housekeeping has made the month's own partition: nothing is refused.
    op.execute("CREATE TABLE message_body_default PARTITION OF message_body DEFAULT")
    op.create_table(
        "message_key",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("reuses", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("repeats", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("repeated_at", TIME),
        sa.PrimaryKeyConstraint("key", name="message_key_pkey"),
    )
    op.create_table(
        "message_identifier",
        sa.Column("identifier_type", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("identifier_type", "value", "message_uuid", name="message_identifier_pkey"),
    )
    op.create_table(
        "identifier_merge",
        sa.Column("identifier_type", sa.Text(), nullable=False),
        sa.Column("surviving", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("identifier_type", "surviving", "old", name="identifier_merge_pkey"),
    )


def downgrade() -> None:
    for table in ("identifier_merge", "message_identifier", "message_key", "message_body", "message"):
        op.drop_table(table)

"""Integration events, the meaning of their codes, API keys, and requests that may be repeated."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "integration_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("event_code", sa.Text(), nullable=False),
        sa.Column("default_code", sa.Text()),
        sa.Column("canonical_code", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text()),
        sa.Column("patient_identifier", sa.Text()),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("event_fields", JSONB()),
        sa.Column("companions", JSONB()),
        sa.Column("occurred_at", TIME),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.Column("identity", sa.LargeBinary()),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("envelope_id", sa.Uuid()),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="integration_event_pkey"),
        sa.UniqueConstraint("identity", name="integration_event_identity_key"),
    )
    for column in ("encounter_id", "patient_identifier", "event_code"):
        op.create_index(
            f"integration_event_{column}",
            "integration_event",
            [sa.text(f"lower({column}) text_pattern_ops"), "id"],
        )
    op.create_index(
        "integration_event_source_system", "integration_event", [sa.text("lower(source_system)"), "id"]
    )
    op.create_index("integration_event_envelope_id", "integration_event", ["envelope_id"])
    op.create_index("integration_event_message_uuid", "integration_event", ["message_uuid"])
    op.create_index("integration_event_occurred_at", "integration_event", ["occurred_at", "id"])
    op.create_index(
        "integration_event_occurred_at_desc",
        "integration_event",
        [sa.text("occurred_at DESC NULLS LAST"), sa.text("id DESC")],
    )
    op.create_index(
        "integration_event_not_accepted",
        "integration_event",
        ["state", "id"],
        postgresql_where=sa.text("state <> 'accepted'"),
    )
    op.create_table(
        "event_mapping",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("event_code", sa.Text(), nullable=False),
        sa.Column("canonical_code", sa.Text()),
        sa.Column("created", TIME, nullable=False),
        sa.Column("modified", TIME, nullable=False),
        sa.Column("modified_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="event_mapping_pkey"),
    )
    op.create_index(
        "event_mapping_source_code",
        "event_mapping",
        [sa.text("lower(source_system)"), sa.text("lower(event_code)")],
        unique=True,
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.Column("revoked_by", sa.Text()),
        sa.Column("replaced_by", sa.Uuid()),
        sa.Column("last_used_at", TIME),
        sa.PrimaryKeyConstraint("id", name="api_key_pkey"),
        sa.UniqueConstraint("hash", name="api_key_hash_key"),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("running_until", TIME),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("key", name="idempotency_key_pkey"),
    )
    op.create_index("idempotency_key_claimed_at", "idempotency_key", ["claimed_at"])


def downgrade() -> None:
    for table in ("idempotency_key", "api_key", "event_mapping", "integration_event"):
        op.drop_table(table)

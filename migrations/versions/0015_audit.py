"""The audit trail and its seals; a trigger refuses to change or remove either."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TIME = TIMESTAMP(timezone=True)
_REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'insufficient_privilege'; END
$$
"""
_ROWS = (
    "CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
)
_ALL = "CREATE TRIGGER audit_refuse_all BEFORE TRUNCATE ON {0} EXECUTE FUNCTION audit_refuse()"


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column(
            "txid",
            sa.BigInteger(),
            server_default=sa.text("((pg_current_xact_id())::text)::bigint"),
            nullable=False,
        ),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            server_default=sa.text("(pg_control_system()).system_identifier"),
            nullable=False,
        ),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("fields", ARRAY(sa.Text()), nullable=False),
        sa.CheckConstraint("(actor_kind = 'user') = (actor_id IS NOT NULL)", name="audit_event_actor"),
        sa.PrimaryKeyConstraint("id", "at", name="audit_event_pkey"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("audit_event_txid", "audit_event", ["epoch", "txid", "id"])
    op.create_index("audit_event_at", "audit_event", ["at", "id"])
    for column in ("action", "object_type", "actor_id", "object_id", "hospital_id"):
        op.create_index(f"audit_event_{column}", "audit_event", [column, "at", "id"])
    # Catches what comes before housekeeping has made the month's own partition: nothing is refused.
    op.execute("CREATE TABLE audit_event_default PARTITION OF audit_event DEFAULT")
    op.create_table(
        "audit_seal",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("from_txid", sa.BigInteger(), nullable=False),
        sa.Column("to_txid", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_at", _TIME, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("month", "number", name="audit_seal_pkey"),
    )
    op.create_table(
        "audit_dropped",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("dropped_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("month", name="audit_dropped_pkey"),
    )
    op.execute(_REFUSE)
    for table in ("audit_event", "audit_seal", "audit_dropped"):
        op.execute(_ROWS.format(table))
    for table in ("audit_event", "audit_event_default", "audit_seal", "audit_dropped"):
        op.execute(_ALL.format(table))


def downgrade() -> None:
    op.drop_table("audit_dropped")
    op.drop_table("audit_seal")
    op.drop_table("audit_event")
    op.execute("DROP FUNCTION audit_refuse()")

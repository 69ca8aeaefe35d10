"""The kind of messages that were kept before there was a column for it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        UPDATE message SET kind = CASE
            WHEN dst_description = 'mirth' THEN 'cda'
            WHEN dst_description = 'tie' AND message_type LIKE 'ORU%' THEN 'oru'
            WHEN dst_description = 'tie' THEN 'acknowledgement'
            WHEN message_type = 'integration event' THEN 'event'
            WHEN message_type = 'HIS patient data' THEN 'his'
            ELSE 'webhook' END
        WHERE (dst_description = 'dhos' AND (src_description <> 'tie' OR message_type = 'integration event'))
            OR dst_description <> 'dhos'
    """)


def downgrade() -> None:
    """Nothing: 0005 drops the column."""

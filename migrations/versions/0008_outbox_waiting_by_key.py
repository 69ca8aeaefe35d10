"""An index of what waits in the outbox by routing key, oldest or newest first.

Building it keeps writers out while the table is read once: a second or so for each million rows that are
kept. Built concurrently it would wait for the other pods, which wait for this migration.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "outbox_waiting_by_key",
        "outbox",
        ["routing_key", "position"],
        postgresql_where=sa.text("published_at IS NULL AND dead_at IS NULL AND position > 0"),
    )


def downgrade() -> None:
    op.drop_index("outbox_waiting_by_key", table_name="outbox")

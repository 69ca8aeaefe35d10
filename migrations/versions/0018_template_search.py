"""Templates of journeys and of stages are found by words of their names."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = ("journey_template", "stage_template")


def upgrade() -> None:
    for table in _TABLES:
        column = sa.Column("search", postgresql.TSVECTOR(), server_default=sa.text("''"), nullable=False)
        op.add_column(table, column)
        op.create_index(op.f(f"{table}_search"), table, ["search"], postgresql_using="gin")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_index(op.f(f"{table}_search"), table_name=table, postgresql_using="gin")
        op.drop_column(table, "search")

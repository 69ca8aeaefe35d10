"""Users, their eight roles, and their refresh tokens."""

from uuid import UUID, uuid5

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

#: A role has the same id wherever it is: uuid5 of its level in this namespace.
_ROLES = UUID("2f8a1c3e-7b5d-5c1a-9e64-08d3b7a2f915")
_NAMES = (
    (100, "PX Admin", "مدير تجربة المريض"),
    (80, "Hospital Admin", "مدير المستشفى"),
    (60, "Department Manager", "مدير القسم"),
    (50, "PX Coordinator", "منسق تجربة المريض"),
    (40, "Physician", "طبيب"),
    (30, "Nurse", "ممرض"),
    (20, "Staff", "موظف"),
    (10, "Viewer", "مشاهد"),
)


def upgrade() -> None:
    role = op.create_table(
        "role",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_ar", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("role_pkey")),
        sa.UniqueConstraint("level", name=op.f("role_level_key")),
        sa.UniqueConstraint("name", name=op.f("role_name_key")),
    )
    op.create_table(
        "px_user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("employee_id", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), server_default=sa.text("'en'"), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("words", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("failed_logins", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_login_at", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("token_generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("px_user_department_id_fkey")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("px_user_hospital_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("px_user_pkey")),
    )
    op.create_index(op.f("px_user_department_id"), "px_user", ["department_id"], unique=False)
    op.create_index("px_user_email", "px_user", [sa.literal_column("lower(email)")], unique=True)
    op.create_index(
        "px_user_username_order", "px_user", [sa.literal_column("lower(username)"), "username", "id"]
    )
    op.create_index("px_user_active_order", "px_user", ["is_active", sa.literal_column("lower(username)")])
    op.create_index(
        "px_user_of_hospital", "px_user", ["hospital_id", sa.literal_column("lower(username)")], unique=False
    )
    op.create_index("px_user_username", "px_user", [sa.literal_column("lower(username)")], unique=True)
    op.create_index(
        "px_user_words",
        "px_user",
        [sa.literal_column("array_to_tsvector(words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("family", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["px_user.id"], name=op.f("refresh_token_user_id_fkey")),
        sa.PrimaryKeyConstraint("hash", name=op.f("refresh_token_pkey")),
    )
    op.create_index(op.f("refresh_token_expires_at"), "refresh_token", ["expires_at"], unique=False)
    op.create_index(op.f("refresh_token_family"), "refresh_token", ["family"], unique=False)
    op.create_index(op.f("refresh_token_user_id"), "refresh_token", ["user_id"], unique=False)
    op.create_table(
        "user_role",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("granted_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("user_role_role_id_fkey")),
        sa.ForeignKeyConstraint(["user_id"], ["px_user.id"], name=op.f("user_role_user_id_fkey")),
        sa.PrimaryKeyConstraint("user_id", "role_id", name=op.f("user_role_pkey")),
    )
    op.create_index(op.f("user_role_role_id"), "user_role", ["role_id"], unique=False)
    op.bulk_insert(
        role,
        [
            {"id": uuid5(_ROLES, str(level)), "name": name, "name_ar": name_ar, "level": level}
            for level, name, name_ar in _NAMES
        ],
    )
    op.create_foreign_key("department_manager_id_fkey", "department", "px_user", ["manager_id"], ["id"])
    op.create_foreign_key("employee_user_id_fkey", "employee", "px_user", ["user_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("employee_user_id_fkey", "employee", type_="foreignkey")
    op.drop_constraint("department_manager_id_fkey", "department", type_="foreignkey")
    op.drop_index(op.f("user_role_role_id"), table_name="user_role")
    op.drop_table("user_role")
    op.drop_index(op.f("refresh_token_user_id"), table_name="refresh_token")
    op.drop_index(op.f("refresh_token_family"), table_name="refresh_token")
    op.drop_index(op.f("refresh_token_expires_at"), table_name="refresh_token")
    op.drop_table("refresh_token")
    op.drop_index("px_user_words", table_name="px_user", postgresql_using="gin")
    op.drop_index("px_user_username", table_name="px_user")
    op.drop_index("px_user_of_hospital", table_name="px_user")
    op.drop_index("px_user_active_order", table_name="px_user")
    op.drop_index("px_user_username_order", table_name="px_user")
    op.drop_index("px_user_email", table_name="px_user")
    op.drop_index(op.f("px_user_department_id"), table_name="px_user")
    op.drop_table("px_user")
    op.drop_table("role")

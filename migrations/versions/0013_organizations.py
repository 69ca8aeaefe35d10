"""Hospitals, departments, physicians, employees, patients, and how sources call them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hospital",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_ar", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("license_number", sa.Text(), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("hospital_pkey")),
    )
    op.create_table(
        "department",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_ar", sa.Text(), nullable=True),
        sa.Column("manager_id", sa.Uuid(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("ward_codes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("parent_id <> id", name=op.f("department_not_its_own_parent_check")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("department_hospital_id_fkey")),
        sa.ForeignKeyConstraint(["parent_id"], ["department.id"], name=op.f("department_parent_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("department_pkey")),
        sa.UniqueConstraint("hospital_id", "code", name=op.f("department_hospital_id_code_key")),
    )
    op.create_index(op.f("department_parent_id"), "department", ["parent_id"], unique=False)
    op.create_index(
        op.f("department_ward_codes"), "department", ["ward_codes"], unique=False, postgresql_using="gin"
    )
    op.create_table(
        "hospital_identifier",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("hospital_identifier_hospital_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("hospital_identifier_pkey")),
        sa.UniqueConstraint(
            "source", "kind", "folded", name=op.f("hospital_identifier_source_kind_folded_key")
        ),
    )
    op.create_index(
        op.f("hospital_identifier_hospital_id"), "hospital_identifier", ["hospital_id"], unique=False
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("namespace", sa.Text(), nullable=True),
        sa.Column("facility", sa.Text(), nullable=True),
        sa.Column("mrn", sa.Text(), nullable=True),
        sa.Column("national_id", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("first_name_ar", sa.Text(), nullable=True),
        sa.Column("last_name_ar", sa.Text(), nullable=True),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("phone_e164", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("deceased_at", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("is_deceased", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("facts_at", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("patient_hospital_id_fkey")),
        sa.ForeignKeyConstraint(["merged_into"], ["patient.id"], name=op.f("patient_merged_into_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("patient_pkey")),
    )
    op.create_index(
        op.f("patient_merged_into"),
        "patient",
        ["merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index(
        "patient_homeless",
        "patient",
        ["facility"],
        unique=False,
        postgresql_where=sa.text("hospital_id IS NULL"),
    )
    op.create_table(
        "patient_merge",
        sa.Column("event_uuid", sa.Uuid(), nullable=False),
        sa.Column("prior_id", sa.Uuid(), nullable=False),
        sa.Column("survivor_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occurred_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("undone_at", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["prior_id"], ["patient.id"], name=op.f("patient_merge_prior_id_fkey")),
        sa.ForeignKeyConstraint(["survivor_id"], ["patient.id"], name=op.f("patient_merge_survivor_id_fkey")),
        sa.PrimaryKeyConstraint("event_uuid", "prior_id", name=op.f("patient_merge_pkey")),
    )
    op.create_index(op.f("patient_merge_prior_id"), "patient_merge", ["prior_id"], unique=False)
    op.create_index(op.f("patient_merge_survivor_id"), "patient_merge", ["survivor_id"], unique=False)
    op.create_table(
        "employee",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("employee_number", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("first_name_ar", sa.Text(), nullable=True),
        sa.Column("last_name_ar", sa.Text(), nullable=True),
        sa.Column("job_title", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("employee_department_id_fkey")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("employee_hospital_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("employee_pkey")),
        sa.UniqueConstraint(
            "hospital_id", "employee_number", name=op.f("employee_hospital_id_employee_number_key")
        ),
    )
    op.create_index(op.f("employee_department_id"), "employee", ["department_id"], unique=False)
    op.create_table(
        "patient_identifier",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("patient_identifier_patient_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "patient_id", "authority", "type", "value", name=op.f("patient_identifier_pkey")
        ),
    )
    op.create_index(op.f("patient_identifier_patient_id"), "patient_identifier", ["patient_id"], unique=False)
    op.create_index(op.f("patient_identifier_value"), "patient_identifier", ["value"], unique=False)
    op.create_table(
        "physician",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("license_number", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("first_name_ar", sa.Text(), nullable=True),
        sa.Column("last_name_ar", sa.Text(), nullable=True),
        sa.Column("specialization", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("physician_department_id_fkey")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("physician_hospital_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("physician_pkey")),
        sa.UniqueConstraint(
            "hospital_id", "license_number", name=op.f("physician_hospital_id_license_number_key")
        ),
    )
    op.create_index(op.f("physician_department_id"), "physician", ["department_id"], unique=False)
    op.create_index("hospital_code_key", "hospital", [sa.text("lower(code)")], unique=True)
    op.create_index("hospital_name_order", "hospital", ["name", "id"])
    op.create_index("hospital_created_order", "hospital", ["created_at", "id"])
    op.create_index("hospital_updated_order", "hospital", ["updated_at", "id"])
    op.create_index("hospital_status_order", "hospital", ["status", "name", "id"])
    op.create_index("hospital_city_order", "hospital", ["city", "name", "id"])
    op.create_index("hospital_city", "hospital", [sa.text("lower(city)"), "name", "id"])
    op.create_index(
        "physician_specialization",
        "physician",
        [sa.text("lower(specialization)"), "last_name", "first_name", "id"],
    )
    op.create_index("department_name_order", "department", ["name", "id"])
    op.create_index("department_hospital_name_order", "department", ["hospital_id", "name", "id"])
    op.create_index("department_code_order", "department", ["code", "id"])
    op.create_index("department_created_order", "department", ["created_at", "id"])
    op.create_index("department_updated_order", "department", ["updated_at", "id"])
    op.create_index("department_status_order", "department", ["status", "name", "id"])
    op.create_index(op.f("department_manager_id"), "department", ["manager_id"])
    op.create_index(op.f("employee_user_id"), "employee", ["user_id"])
    for person in ("physician", "employee"):
        op.create_index(f"{person}_name_order", person, ["last_name", "first_name", "id"])
        op.create_index(
            f"{person}_hospital_name_order", person, ["hospital_id", "last_name", "first_name", "id"]
        )
        op.create_index(f"{person}_first_name_order", person, ["first_name", "last_name", "id"])
        op.create_index(f"{person}_created_order", person, ["created_at", "id"])
        op.create_index(f"{person}_updated_order", person, ["updated_at", "id"])
        op.create_index(f"{person}_status_order", person, ["status", "last_name", "first_name", "id"])
    op.create_index("physician_license_order", "physician", ["license_number", "id"])
    op.create_index("physician_specialization_order", "physician", ["specialization", "id"])
    op.create_index("employee_number_order", "employee", ["employee_number", "id"])
    op.create_index("employee_job_title_order", "employee", ["job_title", "id"])
    for table in ("hospital", "department", "physician", "employee", "patient"):
        op.create_index(op.f(f"{table}_search"), table, ["search"], postgresql_using="gin")
    _index_patients()


def _index_patients() -> None:
    """What lists and searches of patients need; those merged into others are found by identifiers only."""
    listed = sa.text("merged_into IS NULL")
    for column in ("created_at", "last_name", "date_of_birth"):
        op.create_index(f"patient_{column}_order", "patient", [column, "id"], postgresql_where=listed)
        op.create_index(
            f"patient_hospital_{column}_order",
            "patient",
            ["hospital_id", column, "id"],
            postgresql_where=listed,
        )
    for name, first in (("city", sa.text("lower(city)")), ("gender", "gender"), ("status", "status")):
        op.create_index(f"patient_{name}", "patient", [first, "created_at", "id"], postgresql_where=listed)
    op.create_index("patient_mrn", "patient", ["mrn"])
    op.create_index("patient_email", "patient", [sa.text("lower(email)")], postgresql_where=listed)
    digits = "reverse(regexp_replace(coalesce(phone_e164, phone), '[^0-9]', '', 'g'))"
    op.create_index(
        "patient_phone_end",
        "patient",
        [sa.literal_column(digits).label("phone_end")],
        postgresql_ops={"phone_end": "text_pattern_ops"},
        postgresql_where=listed,
    )


def downgrade() -> None:
    op.drop_index(op.f("physician_department_id"), table_name="physician")
    op.drop_table("physician")
    op.drop_index(op.f("patient_identifier_value"), table_name="patient_identifier")
    op.drop_index(op.f("patient_identifier_patient_id"), table_name="patient_identifier")
    op.drop_table("patient_identifier")
    op.drop_index(op.f("patient_merge_survivor_id"), table_name="patient_merge")
    op.drop_index(op.f("patient_merge_prior_id"), table_name="patient_merge")
    op.drop_table("patient_merge")
    op.drop_index(op.f("employee_department_id"), table_name="employee")
    op.drop_table("employee")
    op.drop_index("patient_homeless", table_name="patient", postgresql_where=sa.text("hospital_id IS NULL"))
    op.drop_index(
        op.f("patient_merged_into"),
        table_name="patient",
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.drop_table("patient")
    op.drop_index(op.f("hospital_identifier_hospital_id"), table_name="hospital_identifier")
    op.drop_table("hospital_identifier")
    op.drop_index(op.f("department_ward_codes"), table_name="department", postgresql_using="gin")
    op.drop_index(op.f("department_parent_id"), table_name="department")
    op.drop_table("department")
    op.drop_table("hospital")

"""Journeys: their templates, the evidence of encounters, and what is folded from it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patient_move",
        sa.Column("event_uuid", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("prior_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_uuid", name=op.f("patient_move_pkey")),
    )
    op.create_index(op.f("patient_move_patient_id"), "patient_move", ["patient_id"], unique=False)
    op.create_index(op.f("patient_move_prior_id"), "patient_move", ["prior_id"], unique=False)
    op.create_table(
        "evidence_done",
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_uuid", name=op.f("evidence_done_pkey")),
    )
    op.create_table(
        "encounter_link",
        sa.Column("event_uuid", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("previous_id", sa.Text(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_uuid", name=op.f("encounter_link_pkey")),
    )
    op.create_index(
        op.f("encounter_link_encounter_id_namespace"),
        "encounter_link",
        ["encounter_id", "namespace"],
        unique=False,
    )
    op.create_index(
        op.f("encounter_link_previous_id_namespace"),
        "encounter_link",
        ["previous_id", "namespace"],
        unique=False,
    )
    op.create_table(
        "journey_template",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("journey_type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_ar", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "send_post_discharge_survey", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("post_discharge_survey_template_id", sa.Uuid(), nullable=True),
        sa.Column("current_version_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("journey_template_hospital_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("journey_template_pkey")),
    )
    op.create_index("journey_template_created_order", "journey_template", ["created_at", "id"], unique=False)
    op.create_index(
        "journey_template_default",
        "journey_template",
        ["hospital_id", "journey_type"],
        unique=True,
        postgresql_where=sa.text("is_default AND is_active"),
    )
    op.create_index(
        "journey_template_hospital_name_order",
        "journey_template",
        ["hospital_id", "name", "id"],
        unique=False,
    )
    op.create_index("journey_template_name_order", "journey_template", ["name", "id"], unique=False)
    op.create_index(
        "journey_template_type_order", "journey_template", ["journey_type", "name", "id"], unique=False
    )
    op.create_table(
        "journey_template_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("journey_template_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["journey_template_id"],
            ["journey_template.id"],
            name=op.f("journey_template_version_journey_template_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("journey_template_version_pkey")),
        sa.UniqueConstraint(
            "journey_template_id",
            "number",
            name=op.f("journey_template_version_journey_template_id_number_key"),
        ),
    )
    op.create_table(
        "stage_template",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("journey_template_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_ar", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("trigger_event_code", sa.Text(), nullable=False),
        sa.Column("is_optional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("requires_physician", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("requires_department", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("survey_template_id", sa.Uuid(), nullable=True),
        sa.Column("auto_send_survey", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("survey_delay_hours", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("stage_template_hospital_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["journey_template_id"],
            ["journey_template.id"],
            name=op.f("stage_template_journey_template_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("stage_template_pkey")),
        sa.UniqueConstraint(
            "journey_template_id", "code", name=op.f("stage_template_journey_template_id_code_key")
        ),
    )
    op.create_index("stage_template_created_order", "stage_template", ["created_at", "id"], unique=False)
    op.create_index(
        "stage_template_hospital_created_order",
        "stage_template",
        ["hospital_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "stage_template_order", "stage_template", ["journey_template_id", "position", "id"], unique=False
    )
    op.create_table(
        "journey_instance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("journey_type", sa.Text(), nullable=False),
        sa.Column("is_type_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("templates", JSONB(), nullable=False),
        sa.Column("journey_template_id", sa.Uuid(), nullable=True),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("physician_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("started_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("completed_at", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("stage_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("completed_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("details", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("announced", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("journey_instance_department_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("journey_instance_hospital_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["journey_template_id"],
            ["journey_template.id"],
            name=op.f("journey_instance_journey_template_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["merged_into"], ["journey_instance.id"], name=op.f("journey_instance_merged_into_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["physician_id"], ["physician.id"], name=op.f("journey_instance_physician_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("journey_instance_pkey")),
    )
    op.create_index(
        "journey_instance_department_order",
        "journey_instance",
        ["department_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index(
        "journey_instance_hospital_started_order",
        "journey_instance",
        ["hospital_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index(
        "journey_instance_hospital_status_order",
        "journey_instance",
        ["hospital_id", "status", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index(
        op.f("journey_instance_merged_into"),
        "journey_instance",
        ["merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index(
        "journey_instance_patient", "journey_instance", ["patient_id", "started_at", "id"], unique=False
    )
    op.create_index(
        "journey_instance_started_order",
        "journey_instance",
        ["started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index(
        "journey_instance_status_order",
        "journey_instance",
        ["status", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index(
        "journey_instance_template_order",
        "journey_instance",
        ["journey_template_id", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index(
        "journey_instance_hospital_type_order",
        "journey_instance",
        ["hospital_id", "journey_type", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index(
        "journey_instance_type_order",
        "journey_instance",
        ["journey_type", "started_at", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_table(
        "encounter_alias",
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("journey_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("encounter_alias_hospital_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["journey_id"], ["journey_instance.id"], name=op.f("encounter_alias_journey_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "encounter_id", "namespace", "hospital_id", name=op.f("encounter_alias_pkey")
        ),
    )
    op.create_index(op.f("encounter_alias_journey_id"), "encounter_alias", ["journey_id"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("event_uuid", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=True),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("source_code", sa.Text(), nullable=True),
        sa.Column("occurred_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("received_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("message_uuid", sa.Uuid(), nullable=False),
        sa.Column("facts", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("journey_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("evidence_hospital_id_fkey")),
        sa.ForeignKeyConstraint(
            ["journey_id"], ["journey_instance.id"], name=op.f("evidence_journey_id_fkey")
        ),
        sa.PrimaryKeyConstraint("event_uuid", name=op.f("evidence_pkey")),
    )
    op.create_index("evidence_encounter", "evidence", ["encounter_id", "namespace"], unique=False)
    op.create_index("evidence_message", "evidence", ["message_uuid"], unique=False)
    op.create_index("evidence_patient", "evidence", ["patient_id"], unique=False)
    op.create_index(
        "evidence_waiting",
        "evidence",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "stage_instance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("journey_id", sa.Uuid(), nullable=False),
        sa.Column("stage_template_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_ar", sa.Text(), nullable=True),
        sa.Column("is_optional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("completed_at", TIMESTAMP(timezone=True), nullable=True),
        sa.Column("event_uuid", sa.Uuid(), nullable=True),
        sa.Column("physician_id", sa.Uuid(), nullable=True),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("is_late", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reopened", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("stage_instance_department_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("stage_instance_hospital_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["journey_id"], ["journey_instance.id"], name=op.f("stage_instance_journey_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["physician_id"], ["physician.id"], name=op.f("stage_instance_physician_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["stage_template_id"], ["stage_template.id"], name=op.f("stage_instance_stage_template_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("stage_instance_pkey")),
        sa.UniqueConstraint(
            "journey_id", "stage_template_id", name=op.f("stage_instance_journey_id_stage_template_id_key")
        ),
    )
    op.create_index(
        "stage_instance_hospital_order", "stage_instance", ["hospital_id", "created_at", "id"], unique=False
    )
    op.create_index("stage_instance_order", "stage_instance", ["created_at", "id"], unique=False)
    op.create_index(
        "stage_instance_status_order", "stage_instance", ["status", "created_at", "id"], unique=False
    )
    op.create_index(
        "stage_instance_template_order",
        "stage_instance",
        ["stage_template_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "stage_instance_template_status_order",
        "stage_instance",
        ["stage_template_id", "status", "created_at", "id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("stage_instance_template_status_order", table_name="stage_instance")
    op.drop_index("stage_instance_template_order", table_name="stage_instance")
    op.drop_index("stage_instance_status_order", table_name="stage_instance")
    op.drop_index("stage_instance_order", table_name="stage_instance")
    op.drop_index("stage_instance_hospital_order", table_name="stage_instance")
    op.drop_table("stage_instance")
    op.drop_index("evidence_waiting", table_name="evidence", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_index("evidence_patient", table_name="evidence")
    op.drop_index("evidence_message", table_name="evidence")
    op.drop_index("evidence_encounter", table_name="evidence")
    op.drop_table("evidence")
    op.drop_index(op.f("encounter_alias_journey_id"), table_name="encounter_alias")
    op.drop_table("encounter_alias")
    op.drop_index(
        "journey_instance_hospital_type_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_index(
        "journey_instance_type_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_index(
        "journey_instance_template_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_index(
        "journey_instance_status_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_index(
        "journey_instance_started_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_index("journey_instance_patient", table_name="journey_instance")
    op.drop_index(
        op.f("journey_instance_merged_into"),
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.drop_index(
        "journey_instance_hospital_status_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_index(
        "journey_instance_hospital_started_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_index(
        "journey_instance_department_order",
        table_name="journey_instance",
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.drop_table("journey_instance")
    op.drop_index("stage_template_order", table_name="stage_template")
    op.drop_index("stage_template_hospital_created_order", table_name="stage_template")
    op.drop_index("stage_template_created_order", table_name="stage_template")
    op.drop_table("stage_template")
    op.drop_table("journey_template_version")
    op.drop_index("journey_template_type_order", table_name="journey_template")
    op.drop_index("journey_template_name_order", table_name="journey_template")
    op.drop_index("journey_template_hospital_name_order", table_name="journey_template")
    op.drop_index(
        "journey_template_default",
        table_name="journey_template",
        postgresql_where=sa.text("is_default AND is_active"),
    )
    op.drop_index("journey_template_created_order", table_name="journey_template")
    op.drop_table("journey_template")
    op.drop_index(op.f("encounter_link_previous_id_namespace"), table_name="encounter_link")
    op.drop_index(op.f("encounter_link_encounter_id_namespace"), table_name="encounter_link")
    op.drop_table("encounter_link")
    op.drop_table("evidence_done")
    op.drop_index(op.f("patient_move_prior_id"), table_name="patient_move")
    op.drop_index(op.f("patient_move_patient_id"), table_name="patient_move")
    op.drop_table("patient_move")

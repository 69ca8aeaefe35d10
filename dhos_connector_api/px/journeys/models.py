"""The tables of journeys.

`id` is a version 7 UUID, but for journeys (`evidence.EncounterKey.journey_id`) and their stages. `version`
counts the changes of a row: its ETag. A journey and its stages are what `fold.fold` makes of its evidence:
nothing else writes them. `hospital_id` leads the indexes of a hospital's rows. `search` holds the folded
words (`organizations.folding.words`) by which a row is found.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)
_ONE, _TRUE, _FALSE = text("1"), text("true"), text("false")
_NO_WORDS = text("''")
_LISTED = text("merged_into IS NULL")  # what lists of journeys show


class JourneyTemplateRow(db.Model):  # type: ignore[name-defined,misc]
    """What journeys of one type should go through at one hospital, as people edit it."""

    __tablename__ = "journey_template"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    journey_type: Mapped[str] = mapped_column(Text)  # ems | inpatient | opd | day_case
    name: Mapped[str] = mapped_column(Text)
    name_ar: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default=_TRUE)
    is_default: Mapped[bool] = mapped_column(server_default=_FALSE)
    send_post_discharge_survey: Mapped[bool] = mapped_column(server_default=_FALSE)
    post_discharge_survey_template_id: Mapped[UUID | None] = mapped_column()
    current_version_id: Mapped[UUID | None] = mapped_column()  # the newest of its versions
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=_NO_WORDS)

    __table_args__ = (
        Index(
            "journey_template_default",
            hospital_id,
            journey_type,
            unique=True,
            postgresql_where=text("is_default AND is_active"),
        ),
        Index("journey_template_hospital_name_order", hospital_id, name, "id"),
        Index("journey_template_name_order", name, "id"),
        Index("journey_template_created_order", created_at, "id"),
        Index("journey_template_type_order", journey_type, name, "id"),
        Index(None, search, postgresql_using="gin"),
    )


class StageTemplateRow(db.Model):  # type: ignore[name-defined,misc]
    """One stage of a template, as people edit it."""

    __tablename__ = "stage_template"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    journey_template_id: Mapped[UUID] = mapped_column(ForeignKey("journey_template.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    code: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    name_ar: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int] = mapped_column()  # `order` over HTTP
    trigger_event_code: Mapped[str] = mapped_column(Text)
    is_optional: Mapped[bool] = mapped_column(server_default=_FALSE)
    requires_physician: Mapped[bool] = mapped_column(server_default=_FALSE)
    requires_department: Mapped[bool] = mapped_column(server_default=_FALSE)
    survey_template_id: Mapped[UUID | None] = mapped_column()
    auto_send_survey: Mapped[bool] = mapped_column(server_default=_FALSE)
    survey_delay_hours: Mapped[int] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=_TRUE)
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=_NO_WORDS)

    __table_args__ = (
        UniqueConstraint(journey_template_id, code),
        Index("stage_template_order", journey_template_id, position, "id"),
        Index("stage_template_created_order", created_at, "id"),
        Index("stage_template_hospital_created_order", hospital_id, created_at, "id"),
        Index(None, search, postgresql_using="gin"),
    )


class JourneyTemplateVersionRow(db.Model):  # type: ignore[name-defined,misc]
    """What a template said at one time (`template.content_of`). Never changed: journeys refer to it."""

    __tablename__ = "journey_template_version"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    journey_template_id: Mapped[UUID] = mapped_column(ForeignKey("journey_template.id"))
    number: Mapped[int] = mapped_column()
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (UniqueConstraint(journey_template_id, number),)


class JourneyInstanceRow(db.Model):  # type: ignore[name-defined,misc]
    """One encounter's journey.

    `templates` holds the version's id for each type it has been. `patient_id` is the patient as told, who may
    have been merged since (`patient.merged_into`). `merged_into`: it is the same encounter as another, by a
    later name; nothing but its id is its own any more. `announced` is what was said of it to other rooms.
    """

    __tablename__ = "journey_instance"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    namespace: Mapped[str] = mapped_column(Text)
    encounter_id: Mapped[str] = mapped_column(Text)
    patient_id: Mapped[UUID | None] = mapped_column()
    journey_type: Mapped[str] = mapped_column(Text)
    is_type_assumed: Mapped[bool] = mapped_column(server_default=_FALSE)
    templates: Mapped[dict[str, str]] = mapped_column(JSONB)
    journey_template_id: Mapped[UUID | None] = mapped_column(ForeignKey("journey_template.id"))
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("department.id"))
    physician_id: Mapped[UUID | None] = mapped_column(ForeignKey("physician.id"))
    status: Mapped[str] = mapped_column(Text)  # active | completed | cancelled
    ending: Mapped[str | None] = mapped_column(Text)  # `folded.Ending`
    started_at: Mapped[datetime] = mapped_column(_TIME)
    completed_at: Mapped[datetime | None] = mapped_column(_TIME)
    last_at: Mapped[datetime] = mapped_column(_TIME)
    stage_count: Mapped[int] = mapped_column(server_default=text("0"))
    completed_count: Mapped[int] = mapped_column(server_default=text("0"))
    details: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'")
    )  # `metadata` over HTTP
    announced: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("journey_instance.id"))

    __table_args__ = (
        Index("journey_instance_patient", patient_id, started_at, "id"),
        Index("journey_instance_started_order", started_at, "id", postgresql_where=_LISTED),
        Index(
            "journey_instance_hospital_started_order", hospital_id, started_at, "id", postgresql_where=_LISTED
        ),
        Index(
            "journey_instance_hospital_status_order",
            hospital_id,
            status,
            started_at,
            "id",
            postgresql_where=_LISTED,
        ),
        Index("journey_instance_status_order", status, started_at, "id", postgresql_where=_LISTED),
        Index("journey_instance_department_order", department_id, started_at, "id", postgresql_where=_LISTED),
        Index(
            "journey_instance_template_order", journey_template_id, started_at, "id", postgresql_where=_LISTED
        ),
        Index("journey_instance_type_order", journey_type, started_at, "id", postgresql_where=_LISTED),
        Index(
            "journey_instance_hospital_type_order",
            hospital_id,
            journey_type,
            started_at,
            "id",
            postgresql_where=_LISTED,
        ),
        Index(None, merged_into, postgresql_where=text("merged_into IS NOT NULL")),
    )


class EncounterAliasRow(db.Model):  # type: ignore[name-defined,misc]
    """Each name of an encounter, and its journey."""

    __tablename__ = "encounter_alias"

    encounter_id: Mapped[str] = mapped_column(Text, primary_key=True)  # the first: searches know it alone
    namespace: Mapped[str] = mapped_column(Text, primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"), primary_key=True)
    journey_id: Mapped[UUID] = mapped_column(ForeignKey("journey_instance.id"))
    created_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (Index(None, journey_id),)


class EvidenceRow(db.Model):  # type: ignore[name-defined,misc]
    """One piece of evidence (`evidence.Evidence`), and what became of it.

    `state`: waiting, applied or ignored; `reason` says why it waits or is ignored. Its journey is found by
    its encounter's name; `journey_id` says which it was applied to last. `facts` holds what has no column.
    """

    __tablename__ = "evidence"

    event_uuid: Mapped[UUID] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    namespace: Mapped[str] = mapped_column(Text)
    facility: Mapped[str] = mapped_column(Text)  # folded, "" where it is unknown
    encounter_id: Mapped[str | None] = mapped_column(Text)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospital.id"))  # as found last
    patient_id: Mapped[UUID | None] = mapped_column()
    source: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    source_code: Mapped[str | None] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(_TIME)
    received_at: Mapped[datetime] = mapped_column(_TIME)
    message_uuid: Mapped[UUID] = mapped_column()
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(Text)  # waiting | applied | ignored
    reason: Mapped[str | None] = mapped_column(Text)
    journey_id: Mapped[UUID | None] = mapped_column(ForeignKey("journey_instance.id"))
    created_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (
        Index("evidence_encounter", encounter_id, namespace),
        Index("evidence_message", message_uuid),
        Index("evidence_patient", patient_id),
        Index("evidence_waiting", received_at, postgresql_where=text("state = 'waiting'")),
    )


class EvidenceDoneRow(db.Model):  # type: ignore[name-defined,misc]
    """A message of which evidence waits no more, until that is noted where messages are."""

    __tablename__ = "evidence_done"

    message_uuid: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)


class EncounterLinkRow(db.Model):  # type: ignore[name-defined,misc]
    """Two names of one encounter, as an event told: it is called `encounter_id` and was `previous_id`."""

    __tablename__ = "encounter_link"

    event_uuid: Mapped[UUID] = mapped_column(primary_key=True)
    namespace: Mapped[str] = mapped_column(Text)
    encounter_id: Mapped[str] = mapped_column(Text)
    previous_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (Index(None, encounter_id, namespace), Index(None, previous_id, namespace))


class PatientMoveRow(db.Model):  # type: ignore[name-defined,misc]
    """Whatever was one patient's is another's since (`evidence.Move`)."""

    __tablename__ = "patient_move"

    event_uuid: Mapped[UUID] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime] = mapped_column(_TIME)
    prior_id: Mapped[UUID] = mapped_column()
    patient_id: Mapped[UUID] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (Index(None, prior_id), Index(None, patient_id))


class StageInstanceRow(db.Model):  # type: ignore[name-defined,misc]
    """One stage of a journey, with the names of the version it is of."""

    __tablename__ = "stage_instance"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # uuid5 of journey and stage template
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    journey_id: Mapped[UUID] = mapped_column(ForeignKey("journey_instance.id"))
    stage_template_id: Mapped[UUID] = mapped_column(ForeignKey("stage_template.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    position: Mapped[int] = mapped_column()
    code: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    name_ar: Mapped[str | None] = mapped_column(Text)
    is_optional: Mapped[bool] = mapped_column(server_default=_FALSE)
    status: Mapped[str] = mapped_column(Text)  # pending | in_progress | completed | skipped | cancelled
    completed_at: Mapped[datetime | None] = mapped_column(_TIME)
    event_uuid: Mapped[UUID | None] = mapped_column()  # of the evidence that completed it
    physician_id: Mapped[UUID | None] = mapped_column(ForeignKey("physician.id"))
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("department.id"))
    is_late: Mapped[bool] = mapped_column(server_default=_FALSE)
    reopened: Mapped[int] = mapped_column(server_default=text("0"))

    __table_args__ = (
        UniqueConstraint(journey_id, stage_template_id),
        Index("stage_instance_template_order", stage_template_id, created_at, "id"),
        Index("stage_instance_template_status_order", stage_template_id, status, created_at, "id"),
        Index("stage_instance_hospital_order", hospital_id, created_at, "id"),
        Index("stage_instance_status_order", status, created_at, "id"),
        Index("stage_instance_order", created_at, "id"),
    )

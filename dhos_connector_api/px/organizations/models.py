"""The tables of organizations.

`id` is a version 7 UUID, but for patients (`identity`). `version` counts the changes of a row: its ETag.
`hospital_id` leads the indexes of a hospital's rows. Nothing here is deleted while something refers to it.
`search` holds the folded words (`folding.words`) by which a row is found.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)
_ONE = text("1")
_ACTIVE = text("'active'")
_LISTED = text("merged_into IS NULL")  # what lists of patients show
#: A patient's number from its end, as `patient_terms.backwards` has it.
PHONE_END = "reverse(regexp_replace(coalesce(phone_e164, phone), '[^0-9]', '', 'g'))"


class HospitalRow(db.Model):  # type: ignore[name-defined,misc]
    """One hospital."""

    __tablename__ = "hospital"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    code: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    name_ar: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    license_number: Mapped[str | None] = mapped_column(Text)
    capacity: Mapped[int | None] = mapped_column()
    region: Mapped[str | None] = mapped_column(Text)  # ISO 3166-1 alpha-2: whose telephone numbers are meant
    status: Mapped[str] = mapped_column(Text, server_default=_ACTIVE)  # one of `states.Status`
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))

    __table_args__ = (
        Index("hospital_code_key", func.lower(code), unique=True),
        Index("hospital_name_order", name, "id"),
        Index("hospital_created_order", created_at, "id"),
        Index("hospital_updated_order", updated_at, "id"),
        Index("hospital_status_order", status, name, "id"),
        Index("hospital_city_order", city, name, "id"),
        Index("hospital_city", func.lower(city), name, "id"),
        Index(None, search, postgresql_using="gin"),
    )


class HospitalIdentifierRow(db.Model):  # type: ignore[name-defined,misc]
    """What a source calls a hospital: a HIS's HospitalID or HospitalName, an HL7 facility."""

    __tablename__ = "hospital_identifier"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    source: Mapped[str] = mapped_column(Text)  # in lower case
    kind: Mapped[str] = mapped_column(Text)  # id | name | facility
    value: Mapped[str] = mapped_column(Text)
    folded: Mapped[str] = mapped_column(Text)  # as it is compared

    __table_args__ = (UniqueConstraint(source, kind, folded), Index(None, hospital_id))


class DepartmentRow(db.Model):  # type: ignore[name-defined,misc]
    """One department of a hospital, below another one or not."""

    __tablename__ = "department"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("department.id"))
    code: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    name_ar: Mapped[str | None] = mapped_column(Text)
    manager_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("px_user.id", use_alter=True)
    )  # its head, of the hospital
    phone: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(Text)
    ward_codes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    status: Mapped[str] = mapped_column(Text, server_default=_ACTIVE)
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))

    __table_args__ = (
        UniqueConstraint(hospital_id, code),
        Index(None, parent_id),
        Index(None, ward_codes, postgresql_using="gin"),
        Index("department_name_order", name, "id"),
        Index("department_hospital_name_order", hospital_id, name, "id"),
        Index("department_code_order", code, "id"),
        Index("department_created_order", created_at, "id"),
        Index("department_updated_order", updated_at, "id"),
        Index("department_status_order", status, name, "id"),
        Index(None, manager_id),
        Index(None, search, postgresql_using="gin"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
    )


class PhysicianRow(db.Model):  # type: ignore[name-defined,misc]
    """One physician of a hospital; the same person at two hospitals is two rows."""

    __tablename__ = "physician"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("department.id"))
    license_number: Mapped[str] = mapped_column(Text)
    first_name: Mapped[str] = mapped_column(Text)
    last_name: Mapped[str] = mapped_column(Text)
    first_name_ar: Mapped[str | None] = mapped_column(Text)
    last_name_ar: Mapped[str | None] = mapped_column(Text)
    specialization: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=_ACTIVE)
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))

    __table_args__ = (
        UniqueConstraint(hospital_id, license_number),
        Index(None, department_id),
        Index("physician_name_order", last_name, first_name, "id"),
        Index("physician_hospital_name_order", hospital_id, last_name, first_name, "id"),
        Index("physician_first_name_order", first_name, last_name, "id"),
        Index("physician_created_order", created_at, "id"),
        Index("physician_updated_order", updated_at, "id"),
        Index("physician_status_order", status, last_name, first_name, "id"),
        Index("physician_license_order", license_number, "id"),
        Index("physician_specialization_order", specialization, "id"),
        Index("physician_specialization", func.lower(specialization), last_name, first_name, "id"),
        Index(None, search, postgresql_using="gin"),
    )


class EmployeeRow(db.Model):  # type: ignore[name-defined,misc]
    """One employee of a hospital, who need not be a user."""

    __tablename__ = "employee"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospital.id"))
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("department.id"))
    employee_number: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("px_user.id"))
    first_name: Mapped[str] = mapped_column(Text)
    last_name: Mapped[str] = mapped_column(Text)
    first_name_ar: Mapped[str | None] = mapped_column(Text)
    last_name_ar: Mapped[str | None] = mapped_column(Text)
    job_title: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=_ACTIVE)
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))

    __table_args__ = (
        UniqueConstraint(hospital_id, employee_number),
        Index(None, department_id),
        Index(None, user_id),
        Index("employee_name_order", last_name, first_name, "id"),
        Index("employee_hospital_name_order", hospital_id, last_name, first_name, "id"),
        Index("employee_first_name_order", first_name, last_name, "id"),
        Index("employee_created_order", created_at, "id"),
        Index("employee_updated_order", updated_at, "id"),
        Index("employee_status_order", status, last_name, first_name, "id"),
        Index("employee_number_order", employee_number, "id"),
        Index("employee_job_title_order", job_title, "id"),
        Index(None, search, postgresql_using="gin"),
    )


class PatientRow(db.Model):  # type: ignore[name-defined,misc]
    """One patient as the feeds and people tell of him.

    What the feed tells is folded: `facts_at` holds, for each group of columns (`fold.GROUPS`), when what
    they say happened, by which event and generation of it. `merged_into` is the survivor, who was not merged
    into anybody himself. `namespace` and `facility` are those that the id of a feed's patient follows from.
    """

    __tablename__ = "patient"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospital.id"))  # the primary one
    namespace: Mapped[str | None] = mapped_column(Text)
    facility: Mapped[str | None] = mapped_column(Text)  # folded
    mrn: Mapped[str | None] = mapped_column(Text)
    national_id: Mapped[str | None] = mapped_column(Text)
    first_name: Mapped[str | None] = mapped_column(Text)
    last_name: Mapped[str | None] = mapped_column(Text)
    first_name_ar: Mapped[str | None] = mapped_column(Text)
    last_name_ar: Mapped[str | None] = mapped_column(Text)
    date_of_birth: Mapped[date | None] = mapped_column()
    gender: Mapped[str | None] = mapped_column(Text)  # male | female | other | unknown
    phone: Mapped[str | None] = mapped_column(Text)  # as it was told
    phone_e164: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)  # ar | en | ..., ISO 639-1
    address: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    deceased_at: Mapped[datetime | None] = mapped_column(_TIME)
    is_deceased: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(Text, server_default=_ACTIVE)
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    facts_at: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''"))

    __table_args__ = (
        Index(None, merged_into, postgresql_where=text("merged_into IS NOT NULL")),
        Index("patient_homeless", facility, postgresql_where=text("hospital_id IS NULL")),
        Index("patient_created_at_order", created_at, "id", postgresql_where=_LISTED),
        Index("patient_last_name_order", last_name, "id", postgresql_where=_LISTED),
        Index("patient_date_of_birth_order", date_of_birth, "id", postgresql_where=_LISTED),
        Index("patient_hospital_created_at_order", hospital_id, created_at, "id", postgresql_where=_LISTED),
        Index("patient_hospital_last_name_order", hospital_id, last_name, "id", postgresql_where=_LISTED),
        Index(
            "patient_hospital_date_of_birth_order", hospital_id, date_of_birth, "id", postgresql_where=_LISTED
        ),
        Index("patient_city", func.lower(city), created_at, "id", postgresql_where=_LISTED),
        Index("patient_gender", gender, created_at, "id", postgresql_where=_LISTED),
        Index("patient_status", status, created_at, "id", postgresql_where=_LISTED),
        Index("patient_mrn", mrn),
        Index("patient_email", func.lower(email), postgresql_where=_LISTED),
        Index(
            "patient_phone_end",
            literal_column(PHONE_END).label("phone_end"),
            postgresql_ops={"phone_end": "text_pattern_ops"},
            postgresql_where=_LISTED,
        ),
        Index(None, search, postgresql_using="gin"),
    )


class PatientMergeRow(db.Model):  # type: ignore[name-defined,misc]
    """What an event said of two patients: `prior_id` is given up for `survivor_id` (`merges.fold`).

    Kept for ever, also where it is refused or undone: who is merged into whom is folded from all of them.
    """

    __tablename__ = "patient_merge"

    event_uuid: Mapped[UUID] = mapped_column(primary_key=True)
    prior_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    survivor_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    kind: Mapped[str] = mapped_column(Text)  # merge | rename: the survivor has the prior's facts too
    occurred_at: Mapped[datetime] = mapped_column(_TIME)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    undone_at: Mapped[datetime | None] = mapped_column(_TIME)
    undone_by: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index(None, prior_id), Index(None, survivor_id))


class PatientIdentifierRow(db.Model):  # type: ignore[name-defined,misc]
    """One identifier of a patient. It stays with whom it was told of, also when he is merged."""

    __tablename__ = "patient_identifier"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    authority: Mapped[str] = mapped_column(Text, primary_key=True)  # whose it is: a facility, NHS, a country
    type: Mapped[str] = mapped_column(Text, primary_key=True)  # MRN | NHS number | national id | ...
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (Index(None, patient_id), Index(None, value))

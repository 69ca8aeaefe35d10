"""What is announced of journeys and patients goes to the outbox, in the transaction of the effect."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection

from dhos_connector_api.actions.envelope import PX_ROUTING_KEY, Envelope, body
from dhos_connector_api.outbox import store as outbox
from dhos_connector_api.outbox.store import Queued
from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.announcing import Announcement, AnnouncementKind
from dhos_connector_api.px.journeys.changing import Change
from dhos_connector_api.px.journeys.evidence import Evidence
from dhos_connector_api.px.journeys.metrics import ENDED, OPENED
from dhos_connector_api.px.organizations import shown

PATIENT_MERGED, PATIENT_DIED = "patient_merged", "patient_died"
_ENDS = frozenset({AnnouncementKind.JOURNEY_CLOSED, AnnouncementKind.JOURNEY_CANCELLED})


def publish(connection: Connection, changes: Sequence[Change], at: datetime) -> None:
    """Queue what is to be announced of these journeys, each journey's in order."""
    for each in changes:
        if each.opened:
            OPENED.labels(type=each.folded.journey_type.value).inc()
        if each.folded.ending and any(one.kind in _ENDS for one in each.announcements):
            ENDED.labels(ending=each.folded.ending.value).inc()
    outbox.add_all(
        connection, [_queued(change, each) for change in changes for each in change.announcements], at
    )


def publish_of_patients(connection: Connection, given: Iterable[Evidence], at: datetime) -> None:
    """Queue what these events tell of patients as such: a death, a merge. Each event's is queued once.

    A death that newer facts have taken back is none; whoever acts on one reads the patient, as on a merge,
    which may have been refused or undone.
    """
    queued: list[Queued] = []
    alive = shown.alive(connection, {each.patient_id for each in given if each.deceased and each.patient_id})
    for each in given:
        before = each.previous.patient_id if each.previous else None
        if each.deceased and each.patient_id and each.patient_id not in alive:
            data = {"patient_id": each.patient_id, "occurred_at": each.occurred_at}
            queued.append(_of_patient(each, PATIENT_DIED, each.event_uuid, data))
        if (
            before
            and each.patient_id
            and codes.folded(each.code) in codes.MERGING
            and before != each.patient_id
        ):
            people = {"prior_patient_id": before, "patient_id": each.patient_id}
            data = {**people, "occurred_at": each.occurred_at}
            queued.append(_of_patient(each, PATIENT_MERGED, each.event_uuid, data))
    outbox.add_all(connection, queued, at)


def _of_patient(told: Evidence, name: str, of: UUID, data: Mapping[str, Any]) -> Queued:
    content = body(told.message_uuid, [{"name": name, "data": _plain(data)}])
    envelope = Envelope(uuid5(of, name), PX_ROUTING_KEY, content, str(told.message_uuid))
    return Queued(envelope, told.message_uuid, f"patient|{told.patient_id}")


def _queued(change: Change, announcement: Announcement) -> Queued:
    content = body(
        change.message_uuid, [{"name": announcement.kind.value, "data": _data(change, announcement)}]
    )
    id_ = announcement.id_in(change.id)
    envelope = Envelope(id_, PX_ROUTING_KEY, content, str(change.message_uuid))
    return Queued(envelope, change.message_uuid, f"journey|{change.id}")


def _data(change: Change, announcement: Announcement) -> dict[str, Any]:
    names = ("hospital_id", "encounter_id", "patient_id", "journey_type", "journey_template_id")
    states = ("department_id", "physician_id", "status", "ending", "started_at", "completed_at")
    version = change.version
    survey = {
        "send": version.send_post_discharge_survey if version else False,
        "survey_template_id": version.post_discharge_survey_template_id if version else None,
    }
    return _plain(
        {
            "journey_id": change.id,
            "number": announcement.number,
            **{name: change.columns[name] for name in (*names, *states)},
            "merged_journey_id": announcement.merged_id,
            "stage_template_id": announcement.stage_id,
            "stage": _stage(change, announcement),
            "post_discharge_survey": survey,
        }
    )


def _stage(change: Change, announcement: Announcement) -> dict[str, Any] | None:
    """The stage, and what its template says of a survey: who asks patients sees no templates of journeys."""
    now = announcement.stage
    if now is None:
        return None
    stored = next((each for each in change.stages if each["stage_template_id"] == now.stage.id), {})
    return _plain(
        {
            "stage_template_id": now.stage.id,
            "code": now.stage.code,
            "name": now.stage.name,
            "name_ar": now.stage.name_ar,
            "completed_at": now.completed_at,
            "is_late": now.is_late,
            "physician_id": stored.get("physician_id"),
            "department_id": stored.get("department_id"),
            "survey_template_id": now.stage.survey_template_id,
            "auto_send_survey": now.stage.auto_send_survey,
            "survey_delay_hours": now.stage.survey_delay_hours,
        }
    )


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in data.items()}


def _text(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value

"""What is kept of a folded journey and its stages, by column (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from dhos_connector_api.px.journeys.evidence import EncounterKey
from dhos_connector_api.px.journeys.folded import Folded, StageNow, StageStatus


@dataclass(slots=True)
class Known:
    """A journey as it is kept, by column, and its stages by the id of their template."""

    columns: dict[str, Any] = field(default_factory=dict)
    stages: dict[UUID, dict[str, Any]] = field(default_factory=dict)


@lru_cache(maxsize=10_000)
def stage_id(journey_id: UUID, stage_template_id: UUID) -> UUID:
    """Return the id of a journey's stage."""
    return uuid5(journey_id, str(stage_template_id))


def stage_columns(
    journey_id: UUID,
    hospital_id: UUID,
    now: StageNow,
    *,
    department_id: UUID | None,
    physician_id: UUID | None,
) -> dict[str, Any]:
    """Return the columns of a stage."""
    stage = now.stage
    return {
        "journey_id": journey_id,
        "stage_template_id": stage.id,
        "hospital_id": hospital_id,
        "position": stage.position,
        "code": stage.code,
        "name": stage.name,
        "name_ar": stage.name_ar,
        "is_optional": stage.is_optional,
        "status": now.status.value,
        "completed_at": now.completed_at,
        "event_uuid": now.event_uuid,
        "physician_id": physician_id,
        "department_id": department_id,
        "is_late": now.is_late,
        "reopened": now.reopened,
    }


def journey_columns(
    key: EncounterKey,
    folded: Folded,
    *,
    templates: Mapping[str, UUID],
    template_id: UUID | None,
    shown: str,
    department_id: UUID | None,
    physician_id: UUID | None,
) -> dict[str, Any]:
    """Return the columns of a journey that are folded; `shown` is its newest name."""
    return {
        "hospital_id": key.hospital_id,
        "namespace": key.namespace,
        "encounter_id": shown,
        "patient_id": folded.patient_id,
        "journey_type": folded.journey_type.value,
        "is_type_assumed": folded.assumed,
        "templates": {name: str(id_) for name, id_ in templates.items()},
        "journey_template_id": template_id,
        "department_id": department_id,
        "physician_id": physician_id,
        "status": folded.status.value,
        "ending": folded.ending and folded.ending.value,
        "started_at": folded.started_at,
        "completed_at": folded.ended_at,
        "last_at": folded.last_at,
        "stage_count": len(folded.stages),
        "completed_count": sum(each.status is StageStatus.COMPLETED for each in folded.stages),
        "merged_into": None,
    }

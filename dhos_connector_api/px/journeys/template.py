"""What a journey should go through, as one version of its template says (pure).

A version never changes: a journey keeps the ones it was opened with.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any
from uuid import UUID


class JourneyType(StrEnum):
    """The kinds of journey."""

    EMS = "ems"
    INPATIENT = "inpatient"
    OPD = "opd"
    DAY_CASE = "day_case"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a template; `id` is that of the stage template, `position` its order.

    `trigger` are the event codes that complete it (`triggers.fits`). `requires_physician` and
    `requires_department`: it is complete only once that is known. `survey_delay_hours` count from its end.
    """

    id: UUID
    code: str
    name: str
    name_ar: str | None
    position: int
    trigger: str
    is_optional: bool = False
    requires_physician: bool = False
    requires_department: bool = False
    survey_template_id: UUID | None = None
    auto_send_survey: bool = False
    survey_delay_hours: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a template: its active stages, in order, and what follows the journey's end."""

    id: UUID
    template_id: UUID
    number: int
    journey_type: JourneyType
    name: str
    name_ar: str | None
    stages: tuple[Stage, ...]
    send_post_discharge_survey: bool = False
    post_discharge_survey_template_id: UUID | None = None


def content_of(version: Version) -> dict[str, Any]:
    """Return what a version says as JSON: all but its id, its template's and its number."""
    found = {
        name: value for name, value in asdict(version).items() if name not in ("id", "template_id", "number")
    }
    found["stages"] = [_plain(each) for each in found["stages"]]
    return _plain(found)


def version_of(id_: UUID, template_id: UUID, number: int, content: Mapping[str, Any]) -> Version:
    """Return the version that `content_of` made this JSON of; a key it does not know is left out."""
    stages = tuple(Stage(**_known(Stage, each)) for each in content["stages"])
    rest = _known(Version, content) | {"stages": stages, "journey_type": JourneyType(content["journey_type"])}
    return Version(id=id_, template_id=template_id, number=number, **rest)


def _known(of: type, content: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(of)}
    return {
        name: UUID(value) if value is not None and (name == "id" or name.endswith("_id")) else value
        for name, value in content.items()
        if name in names
    }


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in content.items()}

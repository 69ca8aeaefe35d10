"""Templates as files tell them, with all of their stages; hospitals are codes. Never commits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, true

from dhos_connector_api.errors import Details, InvalidFields
from dhos_connector_api.px.journeys import stage_changes, template_changes
from dhos_connector_api.px.journeys import template_store as store
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE
from dhos_connector_api.px.organizations import store as organizations
from dhos_connector_api.px.organizations.changes import Done
from dhos_connector_api.px.organizations.given import changed_fields, values_of
from dhos_connector_api.px.organizations.imported import Given, Line, Outcome
from dhos_connector_api.px.organizations.resources import HOSPITAL, Resource
from dhos_connector_api.px.organizations.store import Row

_NO_HOSPITAL = "is no code of a hospital"
_NO_FIELD = "is no field of it"
_TWICE = "is there twice"
#: Stands for the template while a stage of one that is not stored is checked.
_NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Told:
    """A template of a file: its number there, its fields, and those of its stages."""

    number: int
    fields: Mapping[str, Any]
    stages: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a template of a file, and of its stages; a stage without a number is not in the file."""

    template: Outcome
    stages: Sequence[Outcome] = ()

    @property
    def is_refused(self) -> bool:
        """Return whether anything of it is."""
        return "!" in {self.template.sign, *(each.sign for each in self.stages)}


def told(connection: Connection, hospital: Row) -> list[Told]:
    """Return the templates of a hospital as a file tells them."""
    rows = store.templates_of(connection, hospital["id"])
    stages = store.stages_of(connection, [row["id"] for row in rows], but_inactive=False)
    return [
        Told(
            number,
            {**_shown(TEMPLATE, row), "hospital": hospital["code"]},
            [_shown(STAGE, each) for each in stages if each["journey_template_id"] == row["id"]],
        )
        for number, row in enumerate(rows, 1)
    ]


def in_order(templates: Iterable[Told]) -> list[Told]:
    """Return templates that are no defaults first: so a default may become another."""
    return sorted(templates, key=lambda each: bool(each.fields.get("is_default")))


def take(connection: Connection, told: Told, given: Given) -> Taken:
    """Make a template and its stages what a file says, or say why not."""
    line, key = Line(told.number, told.fields), f"{told.fields.get('hospital')} {told.fields.get('name')}"
    hospital = organizations.by_key(connection, HOSPITAL, str(told.fields.get("hospital") or ""))
    if hospital is None:
        return Taken(Outcome(line, "!", key, details={"hospital": [_NO_HOSPITAL]}))
    body = {**told.fields, "hospital": str(hospital["id"])}
    refused = _checked(told, line, key, body, given)
    if refused is not None:
        return refused
    try:
        template, id_ = _template(connection, line, key, body, given)
    except InvalidFields as error:
        return Taken(Outcome(line, "!", key, details=_details(error)))
    stages = [_stage(connection, id_, number, each, given) for number, each in enumerate(told.stages, 1)]
    stages += _left_out(connection, id_, told, given)
    if any(each.fields for each in stages):
        stage_changes.settle(connection, id_, at=given.at)
    return Taken(template, stages)


def _checked(told: Told, line: Line, key: str, body: Mapping[str, Any], given: Given) -> Taken | None:
    """Return what the specification does not take of a template and its stages; None: it takes all."""
    template = Outcome(line, "!", key, details=_misfits(TEMPLATE, body, given))
    codes = [each.get("code") for each in told.stages]
    stages = []
    for number, each in enumerate(told.stages, 1):
        details = _misfits(STAGE, {**each, "journey_template": str(_NO_ID)}, given)
        if "journey_template" in each:
            details = {**details, "journey_template": [_NO_FIELD]}
        if codes.index(each.get("code")) < number - 1:
            details = {**details, "code": [_TWICE]}
        if details:
            stages.append(Outcome(Line(number, each), "!", str(each.get("code")), details=details))
    if template.details or stages:
        return Taken(template if template.details else Outcome(line, "=", key), stages)
    return None


def _misfits(resource: Resource, body: Mapping[str, Any], given: Given) -> Details:
    unknown = {name: [_NO_FIELD] for name in body if name not in resource.fields}
    known = {name: value for name, value in body.items() if name in resource.fields}
    return {**given.check(resource.name, known), **unknown}


def _template(
    connection: Connection, line: Line, key: str, body: Mapping[str, Any], given: Given
) -> tuple[Outcome, UUID]:
    name = str(body["name"]).strip()
    before = store.by_name(connection, UUID(body["hospital"]), body["journey_type"], name)
    if before is None:
        done = template_changes.create(connection, given.new_id(), body, at=given.at)
        return _outcome(TEMPLATE, line, "+", key, None, done), done.row["id"]
    if not changed_fields(TEMPLATE, before, values_of(TEMPLATE, body, before, whole=True)):
        return Outcome(line, "=", key), before["id"]
    change: dict[str, Any] = {"whole": True, "seen": true(), "version": None, "at": given.at}
    done = template_changes.change(connection, before["id"], body, **change)
    return _outcome(TEMPLATE, line, "~", key, before, done), before["id"]


def _stage(
    connection: Connection, template_id: UUID, number: int, fields: Mapping[str, Any], given: Given
) -> Outcome:
    line, key = Line(number, fields), str(fields["code"]).strip()
    body = {**fields, "journey_template": template_id}
    try:
        before = store.by_code(connection, template_id, key)
        if before is None:
            done = stage_changes.add(connection, given.new_id(), body, seen=true(), at=given.at)
            return _outcome(STAGE, line, "+", key, None, done)
        if not stage_changes.differing(body, before):
            return Outcome(line, "=", key)
        done = _altered(connection, before, body, given, whole=True)
        return _outcome(STAGE, line, "~", key, before, done)
    except InvalidFields as error:
        return Outcome(line, "!", key, details=_details(error))


def _left_out(connection: Connection, template_id: UUID, told: Told, given: Given) -> list[Outcome]:
    """Make the stages that the file does not name inactive."""
    named = {str(each["code"]).strip() for each in told.stages}
    rows = store.stages_of(connection, [template_id], but_inactive=True)
    return [
        _outcome(
            STAGE, Line(0, {}), "~", row["code"], row,
            _altered(connection, row, {"is_active": False}, given, whole=False),
        )
        for row in rows if row["code"] not in named
    ]  # fmt: skip


def _altered(
    connection: Connection, before: Row, body: Mapping[str, Any], given: Given, *, whole: bool
) -> Done:
    change: dict[str, Any] = {"whole": whole, "seen": true(), "version": None, "at": given.at}
    return stage_changes.alter(connection, before["id"], body, **change)


def _outcome(resource: Resource, line: Line, sign: str, key: str, before: Row | None, done: Done) -> Outcome:
    was, now = _shown(resource, before) if before else {}, _shown(resource, done.row)
    differences = {name: (was.get(name), now.get(name)) for name in done.fields if name in {**was, **now}}
    of = {"object_id": done.row["id"], "hospital_id": done.row["hospital_id"], "fields": done.fields}
    return Outcome(line, sign, key, differences, **of)


def _shown(resource: Resource, row: Row) -> dict[str, Any]:
    """Return a row as the fields of a file: without what is null, and without whose it is."""
    values = {
        name: row[column]
        for name, column in resource.fields.items()
        if name not in ("hospital", "journey_template") and row[column] is not None
    }
    return {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}


def _details(error: InvalidFields) -> Details:
    return {name: list(texts) for name, texts in error.details.items()}

"""Hospitals, departments, physicians and employees as lines of files: references are codes instead of ids."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, true

from dhos_connector_api.errors import InvalidFields
from dhos_connector_api.px.organizations import changes, store
from dhos_connector_api.px.organizations.changes import ActiveUsers, Done
from dhos_connector_api.px.organizations.given import changed_fields, values_of
from dhos_connector_api.px.organizations.imported import Differences, Given, Line, Outcome
from dhos_connector_api.px.organizations.resources import DEPARTMENT, HOSPITAL, Resource
from dhos_connector_api.px.organizations.store import Row

_PAGE = 500
_NO_HOSPITAL = "is no code of a hospital"
_NO_DEPARTMENT = "is no code of a department of the hospital"
_NO_COLUMN = "is no column of this kind"
_NO_NUMBER = "is no whole number"
_MISSING = "is missing"


class Structure:
    """The kind of one resource. A file's `hospital`, `department` and `parent` are codes."""

    def __init__(self, name: str, resource: Resource, users: ActiveUsers) -> None:
        self.name, self.columns = name, tuple(resource.fields)
        self._resource, self._users = resource, users

    def ordered(self, lines: Sequence[Line]) -> Iterable[Line]:
        """Return the lines with departments after those that they are part of."""
        return _parents_first(lines) if self._resource is DEPARTMENT else lines

    def take(self, connection: Connection, line: Line, given: Given) -> Outcome:
        """Store what a line says: a new one, or the fields that differ."""
        key = str(line.values.get(self._resource.key) or "").strip()
        try:
            return self._taken(connection, line, key, given)
        except InvalidFields as error:
            return Outcome(line, "!", key, details={name: list(why) for name, why in error.details.items()})

    def lines(self, connection: Connection, after: UUID | None) -> Sequence[tuple[UUID, Mapping[str, Any]]]:
        """Return the next rows after that id as lines, with their ids."""
        rows = store.after(connection, self._resource, after, _PAGE)
        return [(row["id"], self._line(row)) for row in rows]

    def _taken(self, connection: Connection, line: Line, key: str, given: Given) -> Outcome:
        body = self._body(connection, line)
        hospital = body.get("hospital")
        before = store.by_key(connection, self._resource, key, hospital and UUID(hospital)) if key else None
        if details := given.check(self._resource.name, self._shown(before) | body):
            raise InvalidFields(details)
        if before is None:
            done = changes.create(
                connection, self._resource, given.new_id(), body, users=self._users, at=given.at
            )
            return self._outcome(line, "+", key, done, self._differences({}, done.row, done.fields))
        fields = changed_fields(self._resource, before, values_of(self._resource, body, before, whole=False))
        if not fields:
            return Outcome(line, "=", key)
        done = changes.change(
            connection,
            self._resource,
            before["id"],
            body,
            whole=False,
            seen=true(),
            version=None,
            users=self._users,
            at=given.at,
        )
        return self._outcome(line, "~", key, done, self._differences(before, done.row, fields))

    def _outcome(self, line: Line, sign: str, key: str, done: Done, differences: Differences) -> Outcome:
        row = done.row
        hospital = row["id"] if self._resource is HOSPITAL else row["hospital_id"]
        of = {"object_id": row["id"], "hospital_id": hospital, "fields": done.fields}
        return Outcome(line, sign, key, differences, **of)

    def _body(self, connection: Connection, line: Line) -> dict[str, Any]:
        """Return the JSON body that a line means: with ids for codes, and lists and numbers for texts."""
        unknown = {name: [_NO_COLUMN] for name in line.values if name not in self._resource.fields}
        if unknown:
            raise InvalidFields(unknown)
        body = {name: _typed(name, value) for name, value in line.values.items()}
        if self._resource is HOSPITAL:
            return body
        if not body.get("hospital"):
            raise InvalidFields({"hospital": [_MISSING]})
        hospital = store.by_key(connection, HOSPITAL, str(body["hospital"]))
        if hospital is None:
            raise InvalidFields({"hospital": [_NO_HOSPITAL]})
        body["hospital"] = str(hospital["id"])
        for name in self._resource.references:
            if body.get(name):
                found = store.by_key(connection, DEPARTMENT, str(body[name]), hospital["id"])
                if found is None:
                    raise InvalidFields({name: [_NO_DEPARTMENT]})
                body[name] = str(found["id"])
        return body

    def _shown(self, row: Row | None) -> dict[str, Any]:
        """Return a row as the JSON body that would make it; nothing for none."""
        if row is None:
            return {}
        values = {name: row[column] for name, column in self._resource.fields.items()}
        return {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}

    def _line(self, row: Row) -> dict[str, Any]:
        """Return a row as the values of a file."""
        references = () if self._resource is HOSPITAL else ("hospital", *self._resource.references)
        return self._shown(row) | {name: row[f"{name}_code"] for name in references}

    def _differences(
        self, before: Mapping[Any, Any], after: Row, fields: Iterable[str]
    ) -> dict[str, tuple[Any, Any]]:
        was = self._line(before) if before else {}
        now = self._line(after)
        return {name: (was.get(name), now[name]) for name in fields}


def _typed(name: str, value: Any) -> Any:
    """Return a value of JSON for one of a file, which may be a text whatever it is; "" is nothing."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if name == "ward_codes":
        return [each.strip() for each in text.split(";") if each.strip()]
    if name == "capacity" and text:
        if not text.isdecimal():
            raise InvalidFields({name: [_NO_NUMBER]})
        return int(text)
    return text or None


def _parents_first(lines: Sequence[Line]) -> list[Line]:
    """Return the lines so that each comes after its parent's; those of a circle last, to be refused."""
    known = {(each.values.get("hospital"), each.values.get("code")) for each in lines}
    done: set[tuple[Any, Any]] = set()
    ordered, waiting = [], list(lines)
    while waiting:
        later = []
        for line in waiting:
            hospital, code = line.values.get("hospital"), line.values.get("code")
            above = (hospital, line.values.get("parent") or None)
            if above[1] is None or above in done or above not in known:
                ordered.append(line)
                done.add((hospital, code))
            else:
                later.append(line)
        if len(later) == len(waiting):
            return ordered + later
        waiting = later
    return ordered

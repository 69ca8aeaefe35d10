"""The world in which each role asks for each operation, for the rights matrix and the audit trail."""

import re
from typing import Any
from uuid import UUID

from httpx import Response
from sqlalchemy import Connection
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.people.rights import LEVELS, RIGHTS, Reach
from dhos_connector_api.spec.document import Operation
from tests.builders.api import ask
from tests.builders.people import a_department, a_hospital, a_user, shared_people_api
from tests.builders.rights_samples import LINES, Place
from tests.rigs.answers import fits


class World:
    """Two hospitals, three departments of one of them, and there a person of each role."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.app: ASGIApp = shared_people_api(database)
        with database.transaction() as connection:
            home, away = a_hospital(connection), a_hospital(connection)
            ward = a_department(connection, home)
            self.home = Place(home, ward)
            self.places = {
                "own department": self.home,
                "department below": Place(home, a_department(connection, home, ward)),
                "other department": Place(home, a_department(connection, home)),
                "other hospital": Place(away, a_department(connection, away)),
            }
            self.persons = {level: self.person(connection, level) for level in LEVELS}

    def person(self, connection: Connection, *levels: int) -> UUID:
        """A new person at home."""
        return a_user(connection, *levels, hospital_id=self.home.hospital, department_id=self.home.department)

    def asker(self, operation: Operation, level: int) -> UUID:
        """Return who asks: somebody new where he would change himself."""
        if RIGHTS[operation.right or ""].reach is not Reach.OWN:
            return self.persons[level]
        with self.database.transaction() as connection:
            return self.person(connection, level)

    def prepared(self, operation: Operation, place: Place) -> tuple[UUID, dict[str, Any] | None]:
        """A new object there, and the body of the operation."""
        line = LINES[operation.tag]
        with self.database.transaction() as connection:
            made = line.make(connection, place)
            body = line.bodies[operation.id] if "requestBody" in operation.definition else None
            return made, body(connection, place) if body else None

    def path(self, operation: Operation, object_: UUID) -> str:
        """The operation's path to that object; a part of it that is named too is made."""
        named = {}
        with self.database.transaction() as connection:
            for name, make in LINES[operation.tag].parts.items():
                if f"{{{name}}}" in operation.path:
                    named[name] = make(connection, object_)
        return re.sub(r"\{(\w+)\}", lambda found: str(named.get(found[1], object_)), operation.path)

    def ask(self, operation: Operation, object_: UUID, body: Any, token: str | None) -> Response:
        """The answer, which the operation announces."""
        path = self.path(operation, object_)
        sent = {} if body is None else {"json": body}
        return fits(operation, ask(self.app, operation.method.upper(), path, token=token, **sent))

    def listed(self, operation: Operation, object_: UUID, token: str) -> bool:
        """Whether an object is on any page of a list."""
        path: str | None = f"{operation.path}?page_size=200"
        while path:
            answer = fits(operation, ask(self.app, "GET", path, token=token)).json()
            if str(object_) in [each["id"] for each in answer["results"]]:
                return True
            path = (answer["next"] or "").removeprefix("http://platform.test")
        return False


def of_examples(operation: Operation) -> dict[str, Any]:
    """A request of an operation that fits, from its own examples."""
    examples = {each["name"]: str(each["example"]) for each in operation.parameters if "example" in each}
    path = re.sub(r"\{(\w+)\}", lambda match: examples[match[1]], operation.path)
    needed = [each["name"] for each in operation.parameters if each["in"] == "query" and each.get("required")]
    body = operation.definition.get("requestBody", {}).get("content", {}).get("application/json")
    sent = {"json": body["example"]} if body else {}
    query = {name: examples[name] for name in needed}
    return {"method": operation.method.upper(), "path": path, "params": query, **sent}

"""What a person may see and change: the one place that turns him and a right into an SQL condition."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, true

from dhos_connector_api.errors import InvalidFields
from dhos_connector_api.px.organizations.tree import department_and_below
from dhos_connector_api.px.people import rights
from dhos_connector_api.px.people.person import Person
from dhos_connector_api.px.people.rights import COORDINATOR, Reach

#: The name in `Scope.fields` of what says who a patient is.
IDENTITY = "identity"
_FOREIGN = "is not a hospital of yours"


@dataclass(frozen=True, slots=True)
class Scope:
    """How far a person's right reaches. What lies beyond is not there for him: 404.

    `fields` names the groups of fields he may be shown: IDENTITY.
    """

    person: Person
    right: str
    reach: Reach

    @property
    def fields(self) -> frozenset[str]:
        """Return the groups of fields that may be shown."""
        return frozenset({IDENTITY} if self.person.level >= COORDINATOR else ())

    @property
    def hospital_id(self) -> UUID | None:
        """Return the one hospital it reaches; None: all of them (or none, where the person has none)."""
        return None if self.reach is Reach.ALL else self.person.hospital_id

    def includes(self, hospital_id: UUID | None) -> bool:
        """Return whether a hospital is within; what is of no hospital is within only if all are."""
        if self.reach is Reach.ALL:
            return True
        return hospital_id is not None and hospital_id == self.person.hospital_id

    def condition(
        self,
        hospital: ColumnElement[Any] | Any,
        department: ColumnElement[Any] | Any = None,
        *,
        person: ColumnElement[Any] | Any = None,
    ) -> ColumnElement[bool]:
        """Return the condition on the columns that say whose a row is.

        Without a column for the department the reach of a department is that of its hospital; without one
        for the person, which only rows about persons have, nothing is his own.
        """
        if self.reach is Reach.ALL:
            return true()
        if self.reach is Reach.OWN:
            return false() if person is None else person == self.person.id
        if self.person.hospital_id is None:
            return false()
        of_hospital: ColumnElement[bool] = hospital == self.person.hospital_id
        if self.reach is Reach.HOSPITAL or department is None:
            return of_hospital
        if self.person.department_id is None:
            return false()
        return and_(of_hospital, department.in_(department_and_below(self.person.department_id)))

    def hospital_of_body(self, given: UUID | None, name: str = "hospital") -> UUID | None:
        """Return the hospital that a body means: where it names none, the person's own if he has but that.

        Raises InvalidFields for one beyond the scope, and where it names none and nothing is within.
        """
        if given is None and (self.reach is Reach.ALL or self.hospital_id is not None):
            return self.hospital_id
        if not self.includes(given):
            raise InvalidFields({name: [_FOREIGN]})
        return given


def scope(person: Person, right: str) -> Scope:
    """Return how far that right of that person reaches. Raises RightMissing where he does not have it."""
    return Scope(person, right, rights.check(person.level, right))


def highest(levels: Iterable[int]) -> int:
    """Return the level of a person with roles of these levels: the highest; 0 without any."""
    return max(levels, default=0)

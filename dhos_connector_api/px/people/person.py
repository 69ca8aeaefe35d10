"""The person who asks, as the database has him at this request (pure)."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Person:
    """A user who may log in: his roles' names, and the highest of their levels (0: he has none)."""

    id: UUID
    level: int
    hospital_id: UUID | None
    department_id: UUID | None
    roles: frozenset[str]

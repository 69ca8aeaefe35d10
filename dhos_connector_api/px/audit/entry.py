"""What is written down of one action (pure): names of fields, never values, and nothing that is free text."""

import re
from dataclasses import dataclass
from uuid import UUID

#: Who acts where no person does: somebody at the command line, or the service itself.
COMMAND, SYSTEM = "command", "system"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One action, as in `Entry(person.id, "change", "hospital", id, id, request_id, ("name", "city"))`.

    `actor` is the id of a user, or COMMAND or SYSTEM. Raises ValueError when something is not a
    name where a name belongs, so that no value can be written down by mistake.
    """

    actor: UUID | str
    action: str
    object_type: str
    object_id: UUID | None = None
    hospital_id: UUID | None = None
    request_id: str | None = None
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.actor, UUID) and self.actor not in {COMMAND, SYSTEM}:
            raise ValueError("an actor is a user's id, command or system")
        for name in (self.action, self.object_type, *self.fields):
            if not _NAME.fullmatch(name):
                raise ValueError("an action, a type or a field is not a name")
        if self.request_id is not None and not _REQUEST_ID.fullmatch(self.request_id):
            raise ValueError("a request id has characters that none has")

    @property
    def actor_kind(self) -> str:
        """Return user, command or system."""
        return "user" if isinstance(self.actor, UUID) else self.actor

    @property
    def actor_id(self) -> UUID | None:
        """Return the user's id; None: no user did it."""
        return self.actor if isinstance(self.actor, UUID) else None

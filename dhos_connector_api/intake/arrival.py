"""What everything that comes in has in common, whatever its kind and whichever door it came through.

An `Arrival` is what a door hands in, a `Read` what it says (nothing is stored yet), a `Receipt` what
became of it and what to answer. Each kind (`hl7`, `his`, `webhook`, `event`) is a module with three
steps under the same names: `read`, `keep` and `known`. `take` and `together` go through them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any
from uuid import UUID

from dhos_connector_api import clock
from dhos_connector_api.errors import ConnectorError
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import Verdict
from dhos_connector_api.intake.door_names import DoorName
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.site.model import Site
from dhos_connector_api.spec.bodies import JsonBody


@dataclass(frozen=True, slots=True)
class Intake:
    """What every arrival is read with: the site as it is now, and what the settings say.

    With a `log_key` logs show MSH-10 as a hash (`control_ids.logged`).
    """

    site: Site
    zone: tzinfo  # of times that carry no offset
    duplicate_policy: str  # replay | reject
    duplicate_window: timedelta
    transform: Callable[[str], str] | None  # the site's own transformer
    log_key: bytes | None = None


def _no_objection(_message: Message) -> Verdict | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the way in knows of an arrival beside its bytes; each kind looks at some of it.

    `name` is None only for a message that was kept before doors were noted, when it is replayed.
    HL7: `objects` is asked before the site's rules; with `answers_unreadable` bytes without MSH are
    answered AR, and else not at all; `charset` is the character set of messages that name none. Webhooks:
    `source` has signed it, under the id `signed_id` where that was signed too; `admit` is called once it is
    known to be new, and may raise. Events: `source` is that of the API key (None: any), `check` what the
    specification says of the body, `defaults` what it need not say, `identity` what makes the event the same
    where it has no event_id.
    """

    name: DoorName | None = None
    objects: Callable[[Message], Verdict | None] = _no_objection
    answers_unreadable: bool = False
    charset: str | None = None
    source: str | None = None
    signed_id: str | None = None
    admit: Callable[[], None] | None = None
    check: JsonBody | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    identity: bytes | None = None


#: A door that adds nothing.
OPEN = Door()


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes that came in, before anybody has looked at them. `at` is aware; `caller` becomes `created_by`."""

    raw: bytes
    kind: Kind
    caller: str | None
    correlation_id: str
    at: datetime
    uuid: UUID
    door: Door = OPEN

    @property
    def day(self) -> date:
        """Return the day it came, in UTC."""
        return self.at.astimezone(UTC).date()

    @property
    def door_name(self) -> str | None:
        """Return the name of its door, as its message keeps it."""
        return None if self.door.name is None else str(self.door.name)


def arrived(raw: bytes, kind: Kind, *, caller: str | None, correlation_id: str, door: Door = OPEN) -> Arrival:
    """Return an arrival of this moment, under a new uuid."""
    now = clock.now()
    return Arrival(raw, kind, caller, correlation_id, now, clock.new_uuid(now), door)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What an arrival says; nothing is stored yet. Each kind adds what it needs to keep it.

    `row` and `effects` are the message by which it is kept. `refusal` is why nothing of it is kept.
    With `asks_first` it is looked up before it is kept: what is refused claims no key by being inserted.
    """

    arrival: Arrival
    intake: Intake
    row: NewMessage | None = None
    effects: Effects = Effects()
    refusal: ConnectorError | None = None
    asks_first: bool = False

    @property
    def uuid(self) -> UUID:
        """The uuid under which it is kept if it is new."""
        return self.arrival.uuid

    @property
    def size(self) -> int:
        """Bytes of what came and of the envelopes that follow from it."""
        return len(self.arrival.raw) + sum(len(each.body) for each in self.effects.envelopes)

    @property
    def order(self) -> bytes:
        """Sorts what is kept together by the keys it claims, so that two groups never wait in a circle."""
        return self.effects.key or b""


class Outcome(StrEnum):
    """What became of an arrival."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"  # kept, and nothing follows from it
    REFUSED = "refused"  # kept, and answered that it cannot be taken
    UNPARSEABLE = "unparseable"  # its bytes are kept, and that is all
    INVALID = "invalid"  # not kept
    REPEATED = "repeated"  # known, and answered as the first time
    REPEAT_REFUSED = "repeat refused"  # known, at a site that wants no repeats
    CONFLICT = "conflict"  # known under the same name, but with other content


@dataclass(frozen=True, slots=True)
class Collision:
    """The message that has other content under the name of an arrival, and came through another `door`."""

    message_uuid: UUID
    door: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an arrival, and what to answer.

    `uuid` is that of the message that is kept, or of the first one where it is known; None where nothing
    is kept, and for events of a request of many that are known. `answer` is what the kind's door answers
    with. `error` is how a door that knows errors (HTTP) answers instead: what was sent is kept all the same,
    but for INVALID and CONFLICT events. `collision` is for the log, where another door is concerned.
    """

    uuid: UUID | None
    outcome: Outcome
    answer: Any = None
    error: ConnectorError | None = None
    collision: Collision | None = None

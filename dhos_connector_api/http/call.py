"""The results of the checks of a request before Flask, for the handlers to use.

What was checked is what a handler gets: nothing is parsed a second time by another parser.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import flask

from dhos_connector_api.access.store import KnownKey
from dhos_connector_api.auth.jwt import SYSTEM, Claims
from dhos_connector_api.intake.arrival import Arrival, Door, arrived
from dhos_connector_api.intake.door_names import DoorName, Way
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.spec.bodies import JsonBody

_KEY = "connector"
#: Characters kept of a charset's name.
_LONGEST_NAME = 40
#: The issuer of persons' tokens, as doors name it.
PERSONS = "px"
#: Where a WSGI environment has it.
ENVIRON_KEY = "connector.call"


@dataclass(slots=True)
class Call:
    """One request. `claims` is None without a token, `key` without an API key, `body` unless it is JSON.

    `person` is who sent a person's token (a `Person` of the wing's room `people`, which this
    room does not know), and `right` is the operation's, which he has.

    `webhook_source` is the source a webhook, which has no caller, counts against.

    `check` is how the operation's JSON body is checked, where the specification leaves that to the
    handler (`x-checked-by-handler`): `body` is None then.
    `length` is what the request says its body has, and `coding` how it is packed (Content-Encoding), `held`
    what of it counts as held in memory; `cycle` is the server's, which knows whether the client is still
    there.
    `checked` is the operationId whose checks it has passed; None: it has passed none.
    """

    request_id: str
    checked: str | None = None
    claims: Claims | None = None
    key: KnownKey | None = None
    person: Any = None
    right: str | None = None
    webhook_source: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    check: JsonBody | None = None
    length: int = 0
    coding: bytes = b""
    held: int = 0
    cycle: Any = None

    @property
    def is_gone(self) -> bool:
        """Return whether the client has left, and nobody waits for the answer."""
        return self.cycle is not None and bool(self.cycle.disconnected)

    @property
    def caller(self) -> str | None:
        """Return the caller, for `created_by` and `modified_by`."""
        if self.key is not None:
            return f"{self.key.source} (API key {self.key.id})"
        if self.person is not None:
            return f"user {self.person.id}"
        return self.claims.caller if self.claims else None

    @property
    def source(self) -> str | None:
        """Return the source whose API key was sent; None for a token."""
        return self.key.source if self.key is not None else None

    @property
    def door_name(self) -> DoorName | None:
        """Return the door it comes through, by its API key or token; None without either."""
        if self.key is not None:
            return DoorName(Way.KEY, self.key.source)
        if self.person is not None:
            return DoorName(Way.TOKEN, PERSONS)
        if self.claims is None:
            return None
        is_system = self.claims.caller_kind == SYSTEM
        return DoorName(Way.TOKEN, self.claims.issuer, self.claims.caller if is_system else None)


def begin(scope: MutableMapping[str, Any], call: Call) -> None:
    """Attach `call` to an ASGI scope; copies of the scope share it."""
    scope["extensions"] = {**(scope.get("extensions") or {}), _KEY: call}


def of_scope(scope: MutableMapping[str, Any]) -> Call:
    """Return the call of an ASGI scope."""
    call: Call = scope["extensions"][_KEY]
    return call


def operation_id(scope: MutableMapping[str, Any]) -> str | None:
    """Return the operation the request was routed to; None outside the specification."""
    found: str | None = scope["extensions"].get("connexion_routing", {}).get("operation_id")
    return found


def arrival(kind: Kind, raw: bytes | None = None, *, door: Door | None = None) -> Arrival:
    """Return what the request at hand brings, of that kind; `raw` where that is not the body itself.

    Without a `door` it comes through that of its API key or token.
    """
    here = current()
    content = flask.request.get_data() if raw is None else raw
    door = door or Door(name=here.door_name)
    return arrived(content, kind, caller=here.caller, correlation_id=here.request_id, door=door)


def named_charset() -> str | None:
    """Return the charset the request's Content-Type names, in printable ASCII; None where it names none."""
    name = flask.request.mimetype_params.get("charset", "").strip()[:_LONGEST_NAME]
    return "".join(each if " " <= each <= "~" else "?" for each in name) or None


def of_environ(environ: Mapping[str, Any]) -> Call | None:
    """Return the call of a WSGI environment; None where nothing came before Flask."""
    return environ.get(ENVIRON_KEY)


def current() -> Call:
    """Return the call at hand, inside a Flask view."""
    call: Call = flask.request.environ[ENVIRON_KEY]
    return call

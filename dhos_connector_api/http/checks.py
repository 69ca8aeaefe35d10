"""The checks of each request: its operation's security, parameters and body, compiled at start.

Security is connexion's own, with our handlers (`security_map`). Parameters and bodies are checked in place
of connexion's validation, through the base classes it offers for that: its validators are built anew for
every request, take what PostgreSQL refuses, skip bodies whose media type is spelt in capitals, and quote
what was sent.
"""

import asyncio
from collections.abc import Container, Mapping
from typing import Any

from connexion.middleware.security import SecurityAPI, SecurityMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from dhos_connector_api.errors import WrongMediaType
from dhos_connector_api.http import call
from dhos_connector_api.http.body_limit import BodyLimit, replayed
from dhos_connector_api.http.turns import Turns
from dhos_connector_api.spec.bodies import JsonBody
from dhos_connector_api.spec.document import WING
from dhos_connector_api.spec.parameters import ParameterCheck

#: A body that takes longer to read than the event loop should be kept from other requests.
LARGE_BODY = 100_000
#: Bytes of such bodies that are worked on at once in a process, for each takes many times its size in memory
#: (one body may be longer); and seconds that others wait for their turn. What is taken in groups
#: (`x-taken-in-groups`) has turns of its own: it takes long, and little memory beside its body.
LARGE_AT_ONCE, LARGE_SECONDS = 12_000_000, 10.0


class _Request:
    """A request as security handlers get it: connexion's own class costs more than the checks do."""

    __slots__ = ("context", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.context: dict[str, Any] = {}


class _LargeBodies:
    """The turns of long bodies, of all operations of a process."""

    def __init__(self) -> None:
        self.at_once = Turns(LARGE_AT_ONCE, LARGE_SECONDS)
        self.in_groups = Turns(LARGE_AT_ONCE, LARGE_SECONDS)

    def turns_of(self, media_type: Mapping[str, Any]) -> Turns:
        """Return those of a media type of an operation."""
        return self.in_groups if media_type.get("x-taken-in-groups") else self.at_once


class _Operation:
    """ASGI: one operation. Bodies other than JSON are for the handler to judge.

    So are those of operations whose `requestBody` says `x-checked-by-handler`: what has to be verified
    or kept before anybody knows whether it fits. `security` is connexion's check of the operation.

    The body is read last: when it is known that the operation is there, that this caller may use it, and
    that it takes such a body. Without a body in the specification none is read.
    """

    def __init__(
        self,
        next_app: ASGIApp,
        operation: Any,
        security: Any,
        limit: BodyLimit,
        large: _LargeBodies,
        any_query: Container[str],
    ) -> None:
        self._next = next_app
        self._limit = limit
        self._id: str = operation.operation_id
        self._allow = security.verification_fn if security.security else None
        self._by_field = operation.path.startswith(WING)
        self._parameters = ParameterCheck(
            operation.parameters, any_query=self._id in any_query, by_field=self._by_field
        )
        content: dict[str, Any] = operation.request_body.get("content", {})
        self._bodies = {
            media_type: JsonBody(definition["schema"]) if media_type == "application/json" else None
            for media_type, definition in content.items()
        }
        self._turns = {media_type: large.turns_of(definition) for media_type, definition in content.items()}
        self._in_handler = bool(operation.request_body.get("x-checked-by-handler"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._allow is not None:
            await self._allow(_Request(scope))
        here = call.of_scope(scope)
        here.parameters = self._parameters.values(scope["path_params"], scope["query_string"])
        if not self._bodies:
            here.checked = self._id
            await self._next(scope, replayed(b"", receive), send)
            return
        media_type = _media_type(scope)
        if media_type not in self._bodies:
            raise WrongMediaType(f"the operation takes {' or '.join(self._bodies)}")
        raw = await self._limit.whole(here, receive)
        if raw is None:
            return
        scope["headers"].append((b"content-length", b"%d" % len(raw)))
        check = self._bodies[media_type]
        if len(raw) <= LARGE_BODY:
            here.body = None if self._in_handler or check is None else self._value(check, raw)
            await self._go_on(check, scope, replayed(raw, receive), send)
            return
        async with self._turns[media_type].one(len(raw)):
            if not self._in_handler and check is not None:
                here.body = await asyncio.to_thread(self._value, check, raw)
            await self._go_on(check, scope, replayed(raw, receive), send)

    def _value(self, check: JsonBody, raw: bytes) -> Any:
        return check.value(raw, by_field=self._by_field)

    async def _go_on(self, check: JsonBody | None, scope: Scope, receive: Receive, send: Send) -> None:
        here = call.of_scope(scope)
        here.check = check if self._in_handler else None
        here.checked = self._id
        await self._next(scope, receive, send)


def checks(limit: BodyLimit, any_query: Container[str]) -> type[SecurityMiddleware]:
    """Return the ASGI layer that stands after connexion's routing, and before Flask.

    `any_query`: operationIds that take query parameters nobody knows. It is a class, as connexion wants it,
    and makes its operations itself.
    """
    large = _LargeBodies()

    class Operations(SecurityAPI):  # type: ignore[misc]
        """The operations of the specification, by operationId."""

        def make_operation(self, operation: Any) -> _Operation:
            security = super().make_operation(operation)
            return _Operation(self.next_app, operation, security, limit, large, any_query)

    class Checks(SecurityMiddleware):  # type: ignore[misc]
        """ASGI: every operation's checks."""

        api_cls = Operations

    return Checks


def _media_type(scope: Scope) -> str:
    """Return the media type in lower case, as `front` has normalised it; empty without a body."""
    for name, value in reversed(scope["headers"]):  # it is the last
        if name == b"content-type":
            found: str = value.partition(b";")[0].decode("latin-1")
            return found
    return ""

"""An envelope as it arrives at a consumer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from dhos_connector_api.errors import ConnectorError

#: Of this project's own: names of envelopes that have none, made of their bodies.
_NAMELESS = UUID("5a1d0f0e-6c59-5d38-9c57-3e0f4f4d2a11")

#: The version of UUIDs that begin with a time (RFC 9562).
_WITH_TIME = 7


class BadEnvelope(ConnectorError):
    """An envelope cannot be read, however often it is tried; the text says why, and quotes nothing."""


@dataclass(frozen=True)
class Letter:
    """One envelope: what AMQP says of it, and its body.

    Letter("4f0c...", "dhos.connector_event", "request-1", b'{"dhos_connector_message_uuid": ...}').actions
    """

    message_id: str | None
    routing_key: str
    correlation_id: str | None
    body: bytes

    @cached_property
    def id(self) -> UUID:
        """The message_id; what follows from the body where it is none."""
        try:
            return UUID(self.message_id)
        except (ValueError, TypeError, AttributeError):
            return uuid5(_NAMELESS, self.body.hex())

    @cached_property
    def message(self) -> UUID:
        """The message that it came from. Raises BadEnvelope."""
        return self._read[0]

    @cached_property
    def actions(self) -> dict[str, Mapping[str, Any]]:
        """The data of the first action of each name. Raises BadEnvelope."""
        return self._read[1]

    @property
    def received_at(self) -> datetime | None:
        """When that message came, as its version 7 UUID says; None where it is of another version."""
        if self.message.version != _WITH_TIME:
            return None
        return datetime.fromtimestamp((self.message.int >> 80) / 1000, UTC)

    def check(self) -> None:
        """Raise BadEnvelope where it has no usable message_id, or cannot be read."""
        try:
            UUID(self.message_id)
        except (ValueError, TypeError, AttributeError):
            raise BadEnvelope("no message_id") from None
        _ = self._read

    @cached_property
    def _read(self) -> tuple[UUID, dict[str, Mapping[str, Any]]]:
        try:
            content = json.loads(self.body)
            found: dict[str, Mapping[str, Any]] = {}
            for action in content["actions"]:
                found.setdefault(action["name"], action["data"])
            if not all(isinstance(data, dict) for data in found.values()):
                raise BadEnvelope("no envelope")
            return UUID(content["dhos_connector_message_uuid"]), found
        except (ValueError, RecursionError):
            raise BadEnvelope("no JSON") from None
        except (LookupError, TypeError, AttributeError):
            raise BadEnvelope("no envelope") from None

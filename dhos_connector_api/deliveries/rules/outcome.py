"""The outcomes of an attempt to deliver: accepted, or one typed failure, never decided by a text (pure)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from dhos_connector_api.deliveries.states import AttemptOutcome
from dhos_connector_api.errors import ConnectorError

#: Seconds a connection may take to be made.
CONNECT_SECONDS = 3.0
#: Bytes of an answer that are read; no acknowledgement is near it.
LARGEST_ANSWER = 1_000_000
#: Characters of what a destination says of a refusal that are kept.
LONGEST_DETAIL = 1000


class Kind(StrEnum):
    """How an attempt failed, which decides what happens next."""

    TRANSIENT = "transient"  # it was not taken, and may be next time
    AMBIGUOUS = "ambiguous"  # it was sent, and whether it was taken is not known
    PERMANENT = "permanent"  # it was refused, and would be again


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to send; `body` is the same at every attempt, which may take so many `seconds`."""

    delivery_uuid: UUID
    control_id: str | None  # MSH-10; None for a document
    body: bytes
    correlation_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """The destination took it. `ack` is its acknowledgement as received, `ack_code` its MSA-1."""

    http_status: int | None = None
    ack_code: str | None = None
    ack: bytes | None = None

    @property
    def outcome(self) -> AttemptOutcome:
        """Return how the attempt ended, as it is kept and counted."""
        return AttemptOutcome.DELIVERED


class DeliveryFailed(ConnectorError):
    """The destination did not take it, or did not say so.

    `text` is ours and may be logged; `detail` is what the destination said (it may name a patient)
    and stays in the database. `retry_after` is in seconds, None where nothing was said. `contacted` is
    False where it failed on our side and says nothing of the destination.
    """

    def __init__(
        self,
        kind: Kind,
        text: str,
        *,
        detail: str | None = None,
        http_status: int | None = None,
        ack_code: str | None = None,
        ack: bytes | None = None,
        retry_after: float | None = None,
        contacted: bool = True,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.detail = detail
        self.http_status = http_status
        self.ack_code = ack_code
        self.ack = ack
        self.retry_after = retry_after
        self.contacted = contacted

    @property
    def outcome(self) -> AttemptOutcome:
        """Return how the attempt ended, as it is kept and counted."""
        return AttemptOutcome(self.kind.value)

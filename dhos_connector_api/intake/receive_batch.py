"""Receive a batch (FHS/BHS): every message in it is a message of its own, answered in one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from dhos_connector_api import clock
from dhos_connector_api.hl7v2 import batch
from dhos_connector_api.hl7v2.batch import File
from dhos_connector_api.intake.receive_hl7 import Door, Intake, Receipt, Received, ack_control_id, receive


@dataclass(frozen=True, slots=True)
class ReceivedBatch:
    """A batch taken apart, its messages read and judged in order; nothing is stored yet."""

    file: File
    messages: tuple[Received, ...]


def receive_batch(
    raw: bytes, intake: Intake, *, created_by: str | None, correlation_id: str, door: Door
) -> ReceivedBatch | None:
    """Read every message of a batch. None: it has more than `batch.MOST_MESSAGES`, or is in UTF-16.

    What is no message is among them, to be stored and refused: `door` should answer it.
    """
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return None
    file = batch.split(raw)
    if len(file.messages) > batch.MOST_MESSAGES:
        return None
    messages = [
        receive(each, intake, created_by=created_by, correlation_id=correlation_id, door=door)
        for each in file.messages
    ]
    return ReceivedBatch(file, tuple(messages))


def answer_batch(received: ReceivedBatch, receipts: Sequence[Receipt]) -> bytes:
    """The acknowledgements of its messages, all of them stored, as a batch."""
    now = clock.now()
    acks = [receipt.ack or b"" for receipt in receipts]
    return batch.answer(received.file, acks, control_id=ack_control_id(clock.new_uuid(now)), now=now)

"""Takes a batch (FHS/BHS): every message in it is a message of its own, answered in one batch."""

from collections.abc import Sequence

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2 import batch
from dhos_connector_api.hl7v2.acknowledge import frameable
from dhos_connector_api.hl7v2.batch import File
from dhos_connector_api.intake.arrival import Arrival, Door, Intake, Receipt, arrived
from dhos_connector_api.intake.control_ids import ack_control_id
from dhos_connector_api.intake.together import Patience, take_together
from dhos_connector_api.messages.kinds import Kind


def take_apart(raw: bytes) -> File | None:
    """Return the batch's messages; None: it has more than `batch.MOST_MESSAGES`, or is in UTF-16."""
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or batch.is_too_large(raw):
        return None
    file = batch.split(raw)
    return file if len(file.messages) <= batch.MOST_MESSAGES else None


def take_batch(
    file: File, intake: Intake, database: Database, *, caller: str | None, correlation_id: str, door: Door
) -> list[Receipt] | None:
    """Take every message in its order, a group at a time; commits as it goes.

    None: not all of them are stored, and the batch must not be answered; sent again, those that are
    get the acknowledgement they had. What is no message is among them, to be stored and refused:
    `door` should answer it.
    """

    def arrival(raw: bytes) -> Arrival:
        return arrived(raw, Kind.HL7, caller=caller, correlation_id=correlation_id, door=door)

    patience = Patience()
    receipts: list[Receipt] = []
    all_stored = True
    for taken in take_together(
        map(arrival, file.messages), intake, database, patience=patience, in_order=True
    ):
        if taken.receipt is not None:
            receipts.append(taken.receipt)
            continue
        all_stored = False
        if not patience.left:
            return None
    return receipts if all_stored else None


def answer_batch(file: File, receipts: Sequence[Receipt]) -> bytes:
    """Return the acknowledgements of its messages, all of them stored, as a batch; none is in UTF-16."""
    now = clock.now()
    acks = [frameable(receipt.answer.content or b"") for receipt in receipts]
    return batch.answer(file, acks, control_id=ack_control_id(clock.new_uuid(now)), now=now)

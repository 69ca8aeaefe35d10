"""Receive a batch (FHS/BHS): every message in it is a message of its own, answered in one batch."""

from collections.abc import Sequence

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2 import batch
from dhos_connector_api.hl7v2.acknowledge import frameable
from dhos_connector_api.hl7v2.batch import File
from dhos_connector_api.intake.keep_together import Patience, kept
from dhos_connector_api.intake.receive_hl7 import Door, Intake, Receipt, ack_control_id, count, receive


def take_apart(raw: bytes) -> File | None:
    """The batch's messages; None: it has more than `batch.MOST_MESSAGES`, or is in UTF-16."""
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or batch.is_too_large(raw):
        return None
    file = batch.split(raw)
    return file if len(file.messages) <= batch.MOST_MESSAGES else None


def receive_batch(
    file: File, database: Database, intake: Intake, *, created_by: str | None, correlation_id: str, door: Door
) -> list[Receipt] | None:
    """Read, judge, keep and count every message in its order, a group at a time; commits as it goes.

    None: not all of them are stored, and the batch must not be answered; sent again, those that are
    get the acknowledgement they had. What is no message is among them, to be stored and refused:
    `door` should answer it.
    """
    messages = (
        receive(each, intake, created_by=created_by, correlation_id=correlation_id, door=door)
        for each in file.messages
    )
    patience = Patience()
    receipts: list[Receipt | None] = []
    for one, receipt in kept(database, messages, patience):
        if receipt is not None:
            count(one, receipt)
        elif not patience.left:
            return None
        receipts.append(receipt)
    stored = [receipt for receipt in receipts if receipt is not None]
    return stored if len(stored) == len(receipts) else None


def answer_batch(file: File, receipts: Sequence[Receipt]) -> bytes:
    """The acknowledgements of its messages, all of them stored, as a batch; none of it is in UTF-16."""
    now = clock.now()
    acks = [frameable(receipt.ack or b"") for receipt in receipts]
    return batch.answer(file, acks, control_id=ack_control_id(clock.new_uuid(now)), now=now)

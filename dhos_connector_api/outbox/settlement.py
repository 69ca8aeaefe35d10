"""What a batch's outcomes mean for its rows, their senders and routing keys (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dhos_connector_api.actions.envelope import Outcome
from dhos_connector_api.outbox.rows import Mark, WaitingRow

#: What is noted with a row, by outcome: fixed texts, which cannot quote anything.
ERRORS = {
    Outcome.RETURNED: "unroutable: no queue is bound to this routing key",
    Outcome.REFUSED: "refused: the broker or a consumer did not take it",
    Outcome.UNANSWERED: "no answer: the broker did not confirm it in time",
    Outcome.UNKNOWN: "no answer: the connection was lost before the broker confirmed it",
    Outcome.IMPOSSIBLE: "impossible: it does not fit into an AMQP message, or is too large",
}
#: A queue of that routing key does not take it, for now.
REFUSALS = (Outcome.REFUSED, Outcome.UNANSWERED)


@dataclass(slots=True)
class Settlement:
    """What follows from the outcomes of one batch."""

    confirmed: list[WaitingRow] = field(default_factory=list)
    impossible: list[WaitingRow] = field(default_factory=list)
    failed: dict[Outcome, list[WaitingRow]] = field(default_factory=dict)
    #: What the batch told of each routing key: a refusal, or else the last that was said.
    keys: dict[str, Outcome] = field(default_factory=dict)
    #: The senders in doubt, and how many rows of each got no answer.
    doubtful: dict[str, int] = field(default_factory=dict)


def settlement(rows: Sequence[WaitingRow], outcomes: Sequence[Outcome]) -> Settlement:
    """Return a batch sorted by what is to be noted; rows of a sender stand in their order.

    After an unroutable row its stream has stopped, after one that was refused or not answered its
    whole sender: later confirms of what has stopped count for nothing.
    """
    result = Settlement()
    stopped: set[tuple[str, str | None]] = set()
    for row, outcome in zip(rows, outcomes, strict=True):
        sender, key = row.stream
        if outcome is Outcome.IMPOSSIBLE:
            result.impossible.append(row)
            continue
        if outcome is Outcome.UNKNOWN:
            result.doubtful[sender] = result.doubtful.get(sender, 0) + 1
        elif result.keys.get(key) not in REFUSALS:
            result.keys[key] = outcome
        if outcome is not Outcome.CONFIRMED:
            result.failed.setdefault(outcome, []).append(row)
            stopped.add((sender, key if outcome is Outcome.RETURNED else None))
        elif not stopped & {(sender, key), (sender, None)}:
            result.confirmed.append(row)
    return result


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What is to be written of one batch, without its bodies: it may have to wait for the database."""

    at: datetime
    confirmed: list[Mark]
    impossible: list[Mark]
    failed: dict[Outcome, list[Mark]]

    @classmethod
    def of(cls, result: Settlement, at: datetime) -> "Unsettled":
        """Return what is to be written of that batch, whose last answer came at that time."""
        return cls(
            at=at,
            confirmed=[row.mark for row in result.confirmed],
            impossible=[row.mark for row in result.impossible],
            failed={outcome: [row.mark for row in rows] for outcome, rows in result.failed.items()},
        )

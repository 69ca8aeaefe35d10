"""The outcomes of one batch: RabbitMQ's answers put together, without a connection (pure).

RabbitMQ answers each message with basic.ack or basic.nack, by delivery tag, several at once where
it likes. A mandatory message that no queue took is sent back with basic.return *before* its
basic.ack: confirmed, and yet not published.
"""

from dhos_connector_api.actions.envelope import Outcome


class Confirms:
    """The outcomes of one batch, while its answers come in.

    `first_tag` is the delivery tag the next message on the channel gets. Tags of earlier batches
    are ignored.
    """

    def __init__(self, size: int, first_tag: int) -> None:
        self._outcomes: list[Outcome | None] = [None] * size
        self._first_tag = first_tag
        self._sent: list[tuple[int, str]] = []  # by tag: place in the batch, message_id
        self._lowest = 0  # everything sent before this has its answer
        self._returned: set[str] = set()
        self._unanswered = 0

    @property
    def next_tag(self) -> int:
        """The delivery tag of the next message on the channel."""
        return self._first_tag + len(self._sent)

    @property
    def complete(self) -> bool:
        """True when no message that was sent still waits for its answer."""
        return self._unanswered == 0

    def note_sent(self, place: int, message_id: str) -> None:
        """Note that the message at that place in the batch went out with the next delivery tag."""
        self._sent.append((place, message_id))
        self._unanswered += 1

    def note_impossible(self, place: int) -> None:
        """Note that the message at that place does not fit into AMQP: it was not sent and has no tag."""
        self._outcomes[place] = Outcome.IMPOSSIBLE

    def note_returned(self, message_id: str) -> None:
        """Note a basic.return: no queue took that message."""
        self._returned.add(message_id)

    def note_answer(self, tag: int, *, multiple: bool, confirmed: bool) -> None:
        """Note a basic.ack or basic.nack for that delivery tag, or for all up to it."""
        last = tag - self._first_tag
        for index in range(self._lowest if multiple else last, min(last + 1, len(self._sent))):
            self._answer(index, confirmed=confirmed)
        if multiple:
            self._lowest = max(self._lowest, last + 1)

    def _answer(self, index: int, *, confirmed: bool) -> None:
        if index < 0:
            return
        place, message_id = self._sent[index]
        if self._outcomes[place] is not None:
            return
        self._unanswered -= 1
        if not confirmed:
            self._outcomes[place] = Outcome.REFUSED
        elif message_id in self._returned:
            self._outcomes[place] = Outcome.RETURNED
        else:
            self._outcomes[place] = Outcome.CONFIRMED

    def outcomes(self, missing: Outcome = Outcome.UNKNOWN) -> list[Outcome]:
        """Return one outcome an envelope, in the order of the batch; `missing` where no answer came."""
        return [missing if each is None else each for each in self._outcomes]

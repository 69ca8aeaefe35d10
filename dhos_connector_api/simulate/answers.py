"""The answers test clients got, and the summary of them: codes, times, resends (pure)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from dhos_connector_api.deliveries.rules.acknowledgement import TAKEN
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.read import read

#: Stands for a code where no acknowledgement came, and where none was asked for (MSH-15, MSH-16)
#: by NE, or by ER and nothing went wrong in the time that was waited.
LOST, SILENT = "no answer", "none asked"


@dataclass(frozen=True, slots=True)
class Answer:
    """How one message fared. `code` is MSA-1, or LOST, SILENT, or `HTTP` and a status.

    `seconds` are those of the last attempt; `late` marks an acknowledgement nobody waited for.
    """

    code: str
    control_id: str = ""
    reason: str = ""
    seconds: float | None = None
    attempts: int = 1
    late: bool = False

    @property
    def taken(self) -> bool:
        """Return whether it was acknowledged as taken, or asked for no acknowledgement."""
        return self.code in TAKEN or self.code == SILENT


def understood(ack: bytes, seconds: float | None = None) -> Answer:
    """An acknowledgement as an answer; `?` where it has no MSA."""
    try:
        message = read(ack)
    except UnreadableMessage:
        return Answer("?", seconds=seconds)
    msa, err = message.first("MSA"), message.first("ERR")
    reason = (err.value(8) or err.raw(1)) if err else (msa.value(3) if msa else "")
    if msa is None:
        return Answer("?", seconds=seconds)
    return Answer(msa.value(1), msa.text(2), reason, seconds)


@dataclass(slots=True)
class Summary:
    """The counts of how many messages were answered."""

    codes: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    resent: int = 0
    all_taken: bool = True

    def add(self, answer: Answer) -> None:
        """Count one more."""
        if answer.late:
            self.late[answer.code] += 1
            return
        self.codes[answer.code] += 1
        self.resent += answer.attempts - 1
        self.all_taken = self.all_taken and answer.taken
        if answer.seconds is not None:
            self.seconds.append(answer.seconds)

    def lines(self, elapsed: float | None = None) -> Iterator[str]:
        """To be shown; with the seconds all of it took also times and the rate."""
        yield _counts(self.codes) or "nothing was sent"
        if self.late:
            yield f"besides: {_counts(self.late)}"
        if self.resent:
            yield f"{self.resent} resent"
        if elapsed and self.seconds:
            times = sorted(self.seconds)
            parts = ", ".join(f"p{part} {_milliseconds(percentile(times, part))}" for part in (50, 95, 99))
            number = self.codes.total()
            rate = f"{number} in {elapsed:.1f} s, {number / elapsed:.0f} a second"
            yield f"answered within {parts}, at most {_milliseconds(times[-1])}; {rate}"


def percentile(ordered: list[float], part: int) -> float:
    """The least value that so many percent of them do not exceed (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {code}" for code, count in sorted(counter.items()))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"

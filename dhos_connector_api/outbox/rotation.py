"""The order of senders: those with new rows, and those whom a walk through all of them passes (pure)."""

from collections.abc import Sequence, Set
from itertools import chain, zip_longest

from dhos_connector_api.outbox.rows import START, Stream


class Rotation:
    """The turns. `after` is where the walk goes on.

    Half of a batch belongs to new rows, half to the walk, so that neither holds the other up. Which of them
    comes first changes, as only the first row of a batch is sure to fit in.
    """

    def __init__(self) -> None:
        self.after = START
        self._walk_is_first = False

    def choose(self, fresh: Sequence[str], walked: Sequence[str], *, most: int) -> list[str]:
        """Return up to `most` of these senders, each once, taken from both in turn."""
        self._walk_is_first = not self._walk_is_first
        pair = (walked, fresh) if self._walk_is_first else (fresh, walked)
        mixed = (each for each in chain.from_iterable(zip_longest(*pair)) if each is not None)
        return list(dict.fromkeys(mixed))[:most]

    def move(
        self,
        walk: Sequence[Stream],
        *,
        skipped: Set[Stream],
        reached: Set[str],
        ended: bool,
    ) -> None:
        """Continue the walk behind those whose turn it was.

        `walk` are the streams that were passed, `skipped` those of them that are held back, `reached` the
        senders that had their turn. `ended`: no stream comes after them, so it begins anew.
        """
        passed = 0
        for stream in walk:
            if stream not in skipped and stream[0] not in reached:
                break
            passed += 1
        if ended and passed == len(walk):
            self.after = START
        elif passed:
            self.after = walk[passed - 1]


def reached(chosen: Sequence[str], served: Set[str], *, cut: bool) -> Set[str]:
    """Return the senders that had their turn: where rows were left out, those up to the last that got one."""
    if not cut:
        return set(chosen)
    last = max(place for place, sender in enumerate(chosen) if sender in served)
    return set(chosen[: last + 1])

"""Whether a queue that refuses what it has no room for is full (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

#: A queue that was full may refuse until it is down to this share of its limit: a quorum queue does
#: (`LOW_LIMIT` of rabbit_fifo), and one that took a single message is full again at once.
_LOW = 0.8


class Fullness(Enum):
    """What the numbers of a queue say of the next message."""

    FULL = "full"
    #: There is room, but less than a fifth.
    NEARLY = "nearly full"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a queue refuses more than: messages that are ready, and bytes of their bodies."""

    length: int | None
    size: int | None


def limits(queue: Mapping[str, Any]) -> Limits | None:
    """Return the limits of a queue as the management API shows it; None for one that refuses nothing.

    Of an argument and a policy the lower limit counts, and the argument's `overflow`.
    """
    arguments, policy = _table(queue, "arguments"), _table(queue, "effective_policy_definition")
    overflow = arguments.get("x-overflow", policy.get("overflow"))
    if overflow not in ("reject-publish", "reject-publish-dlx"):
        return None
    length = _lower(arguments.get("x-max-length"), policy.get("max-length"))
    size = _lower(arguments.get("x-max-length-bytes"), policy.get("max-length-bytes"))
    return None if length is None and size is None else Limits(length, size)


def fullness(limits: Limits, *, ready: int | None, ready_bytes: int | None, body: int) -> Fullness:
    """Return what a queue with so many messages and bytes would say to a body of that size.

    A number that is not known says nothing. A body that an empty queue would refuse as well counts as none.
    """
    found = [Fullness.ROOM]
    if limits.length is not None and ready is not None:
        found.append(_against(limits.length, ready, 1))
    if limits.size is not None and ready_bytes is not None:
        found.append(_against(limits.size, ready_bytes, body if body <= limits.size else 0))
    return next(each for each in Fullness if each in found)


def _against(limit: int, has: int, more: int) -> Fullness:
    if has >= limit or has + more > limit:
        return Fullness.FULL
    return Fullness.NEARLY if has >= _LOW * limit else Fullness.ROOM


def _table(queue: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of the API's; an empty one may be shown as a list."""
    table = queue.get(name)
    return table if isinstance(table, dict) else {}


def _lower(*values: object) -> int | None:
    return min((each for each in values if type(each) is int), default=None)

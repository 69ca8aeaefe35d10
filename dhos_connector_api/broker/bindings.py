"""Which bindings of an exchange a routing key matches, as RabbitMQ has it (pure)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding of an exchange; what it leads to is a queue, or another exchange."""

    routing_key: str
    destination: str
    is_exchange: bool


def matching(kind: str, bindings: Iterable[Binding], key: str) -> Iterator[Binding]:
    """Yield those of an exchange of that kind by which a message with that key goes on.

    What does not follow from the key (the kind `headers`, and those of plugins) yields nothing.
    """
    for binding in bindings:
        if _matches(kind, binding.routing_key, key):
            yield binding


def _matches(kind: str, bound: str, key: str) -> bool:
    if kind == "topic":
        return topic_matches(bound, key)
    return kind == "fanout" or (kind == "direct" and bound == key)


def topic_matches(pattern: str, key: str) -> bool:
    """Return whether a topic pattern takes a key: `*` stands for one word, `#` for any number of them."""
    words = _words(key)
    reached = {0}  # how many words what was read of the pattern may stand for
    for part in _words(pattern):
        if part == "#":
            reached = set(range(min(reached), len(words) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(words) and part in ("*", words[at])}
        if not reached:
            return False
    return len(words) in reached


def _words(key: str) -> list[str]:
    return key.split(".") if key else []

"""What our log says was acknowledged, and the database does not have: a standby that lagged was promoted."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TextIO
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.messages import store

#: Outcomes (`intake.arrival.Outcome`) of what was kept, and then answered.
_KEPT = frozenset({"accepted", "ignored", "refused", "unparseable", "conflict"})
_TOGETHER = 10_000
#: Characters of the longest line that is looked at: ours are far shorter.
_LONGEST = 1_000_000
#: Characters of a word that are shown.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message that was answered: its uuid and what the log says of it; nothing of its content."""

    uuid: UUID
    time: str
    kind: str
    outcome: str
    ack: str
    control_id: str


def lines_of(log: TextIO) -> Iterator[str]:
    """Return the lines of a log one by one; one that cannot be ours for its length comes in pieces."""
    while line := log.readline(_LONGEST):
        yield line


def acknowledged(lines: Iterable[str]) -> Iterator[Acknowledged]:
    """Return what the lines of a log (LOG_FORMAT=json) say was kept and answered; pass over all others."""
    for line in lines:
        start = line.find("{")  # Docker and Kubernetes write a time before it
        if start < 0 or '"message_uuid"' not in line:
            continue
        if (found := _read(line[start:])) is not None:
            yield found


def _read(line: str) -> Acknowledged | None:
    """Return what a line says was kept and answered; None where it says nothing of that kind."""
    try:
        told = json.loads(line)
        uuid, outcome = UUID(told["message_uuid"]), told.get("outcome")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not isinstance(outcome, str) or outcome not in _KEPT:
        return None
    words = [_shown(told.get(name)) for name in ("time", "kind", "outcome", "ack", "control_id")]
    return Acknowledged(uuid, *words)


def _shown(value: object) -> str:
    """Return a value as a terminal may show it: a sender chooses its control id."""
    word = value if isinstance(value, str) and value else "-"
    return "".join(each if each.isprintable() else "?" for each in word[:_SHOWN])


def of(connection: Connection, told: Iterable[Acknowledged]) -> Iterator[Acknowledged]:
    """Return those that the database does not have, in their order."""
    rest = iter(told)
    while some := list(islice(rest, _TOGETHER)):
        missing = store.missing(connection, {each.uuid for each in some})
        yield from (each for each in some if each.uuid in missing)

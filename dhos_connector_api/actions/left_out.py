"""What was left out of the actions of something that was accepted, and why (pure)."""

from collections.abc import Iterable
from itertools import islice
from json import dumps
from typing import NamedTuple

#: Of one message; whoever has so many has a fault of one kind.
MOST = 20

#: Codes of table 0357, as in ERR-3.
SEQUENCE, MISSING, DATA_TYPE, NOT_IN_TABLE, OTHER = "100", "101", "102", "103", "207"


class LeftOut(NamedTuple):
    """One thing that was left out: `code` is of table 0357, `location` as in ERR-2, or a field of JSON.

    `text` says why, and quotes nothing of what was sent.
    """

    code: str
    location: str
    text: str


def as_json(found: Iterable[LeftOut]) -> str | None:
    """Return the first MOST of these as JSON, each once; None where there are none."""
    kept = list(islice(dict.fromkeys(found), MOST))
    return dumps([each._asdict() for each in kept]) if kept else None

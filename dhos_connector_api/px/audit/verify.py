"""Compute every seal of the audit trail anew, and tell where it is not what it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from dhos_connector_api.px.audit import search
from dhos_connector_api.px.audit.chain import NOTHING, Link, differences
from dhos_connector_api.px.audit.search import Dropped, Seal

#: Rows that are named of one seal.
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Wrong:
    """One place where the trail is not what was sealed: the month, the number of the seal, and what."""

    month: date
    number: int
    text: str


def verify(connection: Connection, carried: frozenset[str] = frozenset()) -> Iterator[Wrong]:
    """Return every place that is wrong. What is added meanwhile is no part of any seal it reads.

    `carried` are hashes (hexadecimal) that were carried away before: each has to be among the seals,
    which alone tells of seals that are missing at the end, or of a chain that was made anew.
    """
    missing = set(carried)
    gone = {each.month: each for each in search.dropped(connection)}
    for month in sorted({*search.months_with_rows(connection), *gone}):
        previous, number, starts = NOTHING, 0, dict[int, int]()
        for seal in search.seals(connection, month):
            missing.discard(seal.hash.hex())
            starts_at = starts.get(seal.epoch, 0)
            if seal.number != number + 1 or seal.from_txid != starts_at or seal.previous != previous:
                yield Wrong(month, seal.number, "a seal before it is missing or was replaced")
            if month not in gone:
                for text in _different(connection, seal):
                    yield Wrong(month, seal.number, text)
            previous, number, starts[seal.epoch] = seal.hash, seal.number, seal.to_txid
        if month in gone and not _ends_so(gone[month], number, previous):
            yield Wrong(month, number, "its seals do not end with what was kept when its rows were dropped")
    for each in sorted(missing):
        yield Wrong(date.min, 0, f"no seal has the hash {each}")


def _ends_so(gone: Dropped, number: int, hash_: bytes) -> bool:
    return (gone.number, gone.hash) == (number, hash_)


def _different(connection: Connection, seal: Seal) -> Iterator[str]:
    link = Link(seal.previous, seal.number, seal.range)
    link.add(search.rows(connection, seal.range))
    if link.rows == seal.rows and link.hash() == seal.hash:
        return
    if link.rows != seal.rows:
        yield f"{seal.rows} rows were sealed, {link.rows} are there"
    found = differences(search.digests(connection, seal), bytes(link.digests))
    for id_, what in found[:MOST_NAMED]:
        yield f"row {id_} {what}"
    if len(found) > MOST_NAMED:
        yield f"and {len(found) - MOST_NAMED} rows more"
    if not found and link.rows == seal.rows:
        yield "the seal was changed"

"""The chain of hashes of a month (pure): what a seal's hash is made of."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

#: What the first seal of a month follows.
NOTHING = bytes(32)
#: Bytes of an id, and of the hash of a single row.
_ID, _SHORT = 16, 8
#: The columns of a row that are hashed, in this order: all there are.
COLUMNS = (
    "id", "at", "txid", "epoch", "actor_kind", "actor_id", "action", "object_type",
    "object_id", "hospital_id", "request_id", "fields",
)  # fmt: skip


def row_bytes(row: Mapping[str, Any]) -> bytes:
    """Return a row as bytes that no other row has, without regard to the session's time zone."""
    return json.dumps([_plain(row[name]) for name in COLUMNS], ensure_ascii=True).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if value is None or isinstance(value, int | list):
        return value
    return str(value)


@dataclass(frozen=True, slots=True)
class Range:
    """What a seal covers: the rows of a month that transactions of one server wrote."""

    month: date
    epoch: int
    from_txid: int
    to_txid: int  # this one is not of the range


class Link:
    """The hash of one seal while its rows are fed to it, in the order of (txid, id).

    link = Link(previous, number, Range(month, epoch, from_txid, to_txid))
    link.add(rows)
    link.hash(), link.rows, link.digests
    """

    def __init__(self, previous: bytes, number: int, of: Range) -> None:
        head = json.dumps([of.month.isoformat(), number, of.epoch, of.from_txid, of.to_txid]).encode() + b"\n"
        self._digest = hashlib.sha256(previous + head)
        self.rows = 0
        self.digests = bytearray()

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the next rows in."""
        for row in rows:
            written = row_bytes(row)
            self._digest.update(written)
            self.digests += row["id"].bytes + hashlib.sha256(written).digest()[:_SHORT]
            self.rows += 1

    def hash(self) -> bytes:
        """Return the hash over the seal before, the range, the rows and their number."""
        digest = self._digest.copy()
        digest.update(str(self.rows).encode())
        return digest.digest()


def differences(sealed: bytes, there: bytes) -> list[tuple[UUID, str]]:
    """Return the rows in which two `digests` of a range differ, and what became of each."""
    before, after = _by_id(sealed), _by_id(there)
    found = [(each, "is missing") for each in before.keys() - after.keys()]
    found += [(each, "was added") for each in after.keys() - before.keys()]
    found += [(each, "was changed") for each in before.keys() & after.keys() if before[each] != after[each]]
    return sorted((UUID(bytes=id_), what) for id_, what in found)


def _by_id(digests: bytes) -> dict[bytes, bytes]:
    size = _ID + _SHORT
    pieces = (digests[at : at + size] for at in range(0, len(digests), size))
    return {each[:_ID]: each[_ID:] for each in pieces}

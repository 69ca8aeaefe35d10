"""What is asked of the seals of the audit trail: rows in the order of the hash, seals, what is not sealed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.db.months import months, partition_name
from dhos_connector_api.px.audit.chain import Range

#: More rows than this are not counted.
MOST_COUNTED = 10_000
#: Rows that are in memory at once while a month is read.
AT_ONCE = 2_000
_OF_RANGE = (
    "FROM audit_event WHERE at >= :first AND at < :after AND epoch = :epoch AND txid >= :from_txid"
    " AND txid < :to_txid"
)
_SEALS = (
    "SELECT month, number, epoch, from_txid, to_txid, rows, last_id, sealed_at, previous, hash"
    " FROM audit_seal"
)
#: Of a server that is not this one all transactions have ended.
_EVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it is stored."""

    month: date
    number: int
    epoch: int
    from_txid: int
    to_txid: int
    rows: int
    last_id: UUID
    sealed_at: datetime
    previous: bytes
    hash: bytes

    @property
    def range(self) -> Range:
        """Return what it covers."""
        return Range(self.month, self.epoch, self.from_txid, self.to_txid)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A month whose rows had their time: how many, the last seal and its hash."""

    month: date
    rows: int
    number: int
    hash: bytes
    dropped_at: datetime


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What is not sealed: of which months, how many rows (up to MOST_COUNTED), and since when."""

    months: frozenset[date]
    rows: int
    oldest: datetime | None


def rows(connection: Connection, of: Range) -> Iterator[Any]:
    """Return the rows of a range, by (txid, id), a few in memory at a time."""
    streamed = {"stream_results": True, "yield_per": AT_ONCE}
    query = text(f"SELECT * {_OF_RANGE} ORDER BY txid, id")
    with connection.execute(query, _values(of), execution_options=streamed) as result:
        yield from result.mappings()


def _values(of: Range) -> dict[str, Any]:
    first, after = bounds(of.month)
    return {
        "first": first,
        "after": after,
        "epoch": of.epoch,
        "from_txid": of.from_txid,
        "to_txid": of.to_txid,
    }


def bounds(month: date) -> tuple[datetime, datetime]:
    """Return the first instant of a month (UTC) and that of the next."""
    first, after = months(datetime(month.year, month.month, 1, tzinfo=UTC), 1)
    return first, after


def seals(connection: Connection, month: date | None = None) -> list[Seal]:
    """Return the seals of a month, or of all, by month and number."""
    query = (
        f"{_SEALS} WHERE month = CAST(:month AS date) OR CAST(:month AS date) IS NULL ORDER BY month, number"
    )
    return [Seal(**row) for row in connection.execute(text(query), {"month": month}).mappings()]


def newest_seal(connection: Connection, month: date) -> Seal | None:
    """Return the last seal of the month; None: it has none."""
    query = f"{_SEALS} WHERE month = :month ORDER BY number DESC LIMIT 1"
    row = connection.execute(text(query), {"month": month}).mappings().first()
    return None if row is None else Seal(**row)


def digests(connection: Connection, seal: Seal) -> bytes:
    """Return what is kept of each single row of a seal (`chain.differences`)."""
    query = text("SELECT digests FROM audit_seal WHERE month = :month AND number = :number")
    found: bytes = connection.execute(query, {"month": seal.month, "number": seal.number}).scalar_one()
    return found


def dropped(connection: Connection) -> list[Dropped]:
    """Return the months whose rows had their time, oldest first."""
    query = "SELECT month, rows, number, hash, dropped_at FROM audit_dropped ORDER BY month"
    return [Dropped(**row) for row in connection.execute(text(query)).mappings()]


def months_with_rows(connection: Connection) -> list[date]:
    """Return the months (UTC) that have rows or seals, oldest first: one look into the index for each."""
    query = text("SELECT at FROM audit_event WHERE at >= :after ORDER BY at LIMIT 1")
    after, found = datetime(1970, 1, 1, tzinfo=UTC), set[date]()
    while at := connection.execute(query, {"after": after}).scalar():
        first, after = bounds(at.astimezone(UTC).date())
        found.add(first.date())
    found.update(connection.execute(text("SELECT DISTINCT month FROM audit_seal")).scalars())
    return sorted(found)


def settled_before(connection: Connection, month: date) -> Iterator[tuple[int, int]]:
    """Return for each server that wrote rows of the month the transaction before which all of its have ended.

    What these wrote can be seen, and no more comes. A server that is not this one writes no more here.
    """
    here, settled = connection.execute(
        text(
            "SELECT (pg_control_system()).system_identifier,"
            " pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        )
    ).one()
    query = text(
        "SELECT epoch FROM audit_event WHERE at >= :first AND at < :after AND epoch > :epoch"
        " ORDER BY epoch LIMIT 1"
    )
    first, after = bounds(month)
    epoch = -_EVER
    while (
        found := connection.execute(query, {"first": first, "after": after, "epoch": epoch}).scalar()
    ) is not None:
        epoch = found
        yield epoch, settled if epoch == here else _EVER


def next_range(connection: Connection, month: date, epoch: int, settled: int, limit: int) -> Range | None:
    """Return what the next seal of that server's rows covers, some `limit` of them; None: there are none."""
    start = _start(connection, month, epoch)
    values = _values(Range(month, epoch, start, settled))

    def txid(skipped: int, way: str = "ASC") -> int | None:
        query = f"SELECT txid {_OF_RANGE} ORDER BY txid {way}, id {way} OFFSET :skipped LIMIT 1"
        found: int | None = connection.execute(text(query), {**values, "skipped": skipped}).scalar()
        return found

    oldest = txid(0)
    if oldest is None:
        return None
    past = txid(limit)
    if past is not None:
        return Range(month, epoch, start, max(past, oldest + 1))
    # not up to _EVER: that server may be gone back to, and write on
    return Range(month, epoch, start, (txid(0, "DESC") or oldest) + 1)


def _start(connection: Connection, month: date, epoch: int) -> int:
    query = "SELECT coalesce(max(to_txid), 0) FROM audit_seal WHERE month = :month AND epoch = :epoch"
    found: int = connection.execute(text(query), {"month": month, "epoch": epoch}).scalar_one()
    return found


def unsealed(connection: Connection) -> Unsealed:
    """Return what is not sealed, settled or not."""
    first_ones = f"SELECT at {_OF_RANGE} ORDER BY txid, id LIMIT {MOST_COUNTED}"
    query = text(f"SELECT count(*), min(at) FROM ({first_ones}) AS found")  # noqa: S608
    found, number, oldest = set[date](), 0, list[datetime]()
    for month in months_with_rows(connection):
        for epoch, _ in settled_before(connection, month):
            of = Range(month, epoch, _start(connection, month, epoch), _EVER)
            rows_, first = connection.execute(query, _values(of)).one()
            if rows_:
                found.add(month)
                oldest.append(first)
                number += rows_
    return Unsealed(frozenset(found), min(number, MOST_COUNTED), min(oldest, default=None))


def last_sealed(connection: Connection) -> datetime | None:
    """Return when the trail was last sealed; None: never."""
    query = text("SELECT max(sealed_at) FROM audit_seal WHERE month = (SELECT max(month) FROM audit_seal)")
    found: datetime | None = connection.execute(query).scalar()
    return found


def has_partition(connection: Connection, month: date) -> bool:
    """Return whether the month's rows are in a partition of their own."""
    name = partition_name("audit_event", bounds(month)[0])
    return connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None

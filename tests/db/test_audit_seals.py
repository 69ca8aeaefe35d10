"""Seals of the audit trail on a real PostgreSQL: what was altered is found, what comes late is not lost."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.audit import search
from dhos_connector_api.px.audit.dropping import drop_next
from dhos_connector_api.px.audit.findings import findings
from dhos_connector_api.px.audit.gauges import gauges
from dhos_connector_api.px.audit.periodic import make_partitions
from dhos_connector_api.px.audit.seal import seal_next
from dhos_connector_api.px.audit.store import Entry, record
from dhos_connector_api.px.audit.verify import Wrong, verify
from tests.builders.rows import settings
from tests.rigs.settled import wait_until_settled

_COPY = (
    "INSERT INTO audit_event SELECT gen_random_uuid(), at, txid, epoch, actor_kind, actor_id, action,"
    " object_type, object_id, hospital_id, request_id, fields FROM audit_event ORDER BY txid LIMIT 1"
)
_FIRST = "(SELECT id FROM audit_event ORDER BY txid, id LIMIT 1)"


def _entry() -> Entry:
    return Entry(uuid4(), "change", "patient", uuid4(), uuid4(), "request-1", ("phone",))


def _record(database: Database, count: int = 1) -> None:
    for _ in range(count):
        with database.transaction() as connection:
            record(connection, _entry())


def _seal(database: Database, rows: int = 2) -> int:
    """Seal what there is, and return how many seals that made."""
    made = 0
    while True:
        with database.transaction() as connection:
            if not seal_next(connection, now(), rows):
                return made
        made += 1


def _seal_all(database: Database, rows: int = 2) -> int:
    """Seal every entry once no other test holds one back, and return how many seals that made."""
    wait_until_settled(database)
    return _seal(database, rows)


def _wrong(database: Database, carried: frozenset[str] = frozenset()) -> list[Wrong]:
    with database.transaction() as connection:
        return list(verify(connection, carried))


@pytest.mark.parametrize(
    ("statement", "seal", "said"),
    [
        (f"UPDATE audit_event SET action = 'look' WHERE id = {_FIRST}", 1, "was changed"),
        (f"DELETE FROM audit_event WHERE id = {_FIRST}", 1, "2 rows were sealed, 1"),
        (_COPY, 1, "2 rows were sealed, 3"),
        (f"UPDATE audit_event SET txid = txid + 1 WHERE id = {_FIRST}", 1, "was changed"),
        ("DELETE FROM audit_seal WHERE number = 1", 2, "missing"),
        ("UPDATE audit_seal SET hash = previous WHERE number = 2", 2, "was changed"),
    ],
)
def test_what_was_altered_is_found_and_its_place_named(
    database: Database, statement: str, seal: int, said: str
) -> None:
    _record(database, 5)
    assert _seal_all(database) == 3
    assert _wrong(database) == []
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))
    found = _wrong(database)
    assert found
    assert found[0].number == seal
    assert found[0].month == now().date().replace(day=1)
    assert said in found[0].text


def test_the_row_that_was_altered_is_named(database: Database) -> None:
    _record(database, 5)
    _seal_all(database, rows=10)
    with database.transaction() as connection:
        ids = connection.execute(text("SELECT id FROM audit_event ORDER BY txid, id")).scalars().all()
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM audit_event WHERE id = :id"), {"id": ids[1]})
        connection.execute(text("UPDATE audit_event SET action = 'look' WHERE id = :id"), {"id": ids[3]})
    said = {each.text for each in _wrong(database)}
    assert said == {
        "5 rows were sealed, 4 are there",
        f"row {ids[1]} is missing",
        f"row {ids[3]} was changed",
    }


def test_rows_of_a_server_that_is_no_more_are_sealed_beside_those_of_this_one(database: Database) -> None:
    """As after a restore: ids of transactions begin anew, below and among those that were sealed."""
    _record(database, 2)
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit_event SET epoch = 7, txid = 4000000000000 + txid"))
    assert _seal_all(database) == 1
    _record(database, 2)
    assert _seal_all(database) == 1
    assert _wrong(database) == []
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM audit_event WHERE epoch = 7"))
    assert _wrong(database)[0].number == 1


def test_seals_missing_at_the_end_are_told_by_a_hash_carried_away(database: Database) -> None:
    _record(database, 3)
    _seal_all(database)
    with database.transaction() as connection:
        last = search.seals(connection)[-1]
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM audit_seal WHERE number = :number"), {"number": last.number})
    assert _wrong(database) == []
    assert len(_wrong(database, frozenset({last.hash.hex()}))) == 1


def test_a_row_that_is_committed_late_is_waited_for_and_sealed(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="READ COMMITTED") as late:
        record(late, _entry())
        _record(database, 2)
        assert _seal(database) == 0
        late.commit()
    _seal_all(database)
    with database.statements() as connection:
        assert sum(each.rows for each in search.seals(connection)) == 3
    assert _wrong(database) == []


def test_partitions_of_months_refuse_too(database: Database) -> None:
    name = f"audit_event_{now() + timedelta(days=32):%Y_%m}"
    for _ in range(4):
        with database.transaction() as connection:
            make_partitions(connection, now())
    with pytest.raises(DBAPIError, match="only ever added to"), database.transaction() as connection:
        connection.execute(text(f"TRUNCATE {name}"))


def test_a_month_that_had_its_time_goes_once_it_is_sealed_and_its_seals_stay(database: Database) -> None:
    month = now().date().replace(day=1)
    for _ in range(4):
        with database.transaction() as connection:
            make_partitions(connection, now())
    _record(database, 3)
    later = now() + timedelta(days=400)
    try:
        with database.transaction() as connection:
            assert not drop_next(connection, later, 86400)  # not sealed yet
        _seal_all(database)
        with database.transaction() as connection:
            assert not drop_next(connection, now(), 86400)  # not over yet
            assert drop_next(connection, later, 86400)
            assert not drop_next(connection, later, 86400)
        assert _wrong(database) == []
        with database.transaction() as connection:
            (gone,) = search.dropped(connection)
            assert (gone.month, gone.rows) == (month, 3)
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("DELETE FROM audit_seal WHERE number = :last"), {"last": gone.number})
        assert "do not end" in _wrong(database)[0].text
    finally:
        with database.transaction() as connection:
            make_partitions(connection, now())


def test_what_is_not_sealed_is_counted_with_the_age_of_the_oldest(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="READ COMMITTED") as idle:
        record(idle, _entry())  # keeps its transaction open
        _record(database, 2)
        assert _seal(database) == 0
        with database.statements() as connection:
            found = search.unsealed(connection)
            shown = {each.name: each.samples[0].value for each in gauges(settings(), connection, now())}
        assert found.rows == 2
        assert found.oldest is not None
        assert shown["connector_audit_unsealed"] == 2
        assert 0 <= shown["connector_audit_unsealed_oldest_seconds"] < 60
        idle.rollback()
    _seal_all(database)
    with database.statements() as connection:
        assert search.unsealed(connection).rows == 0
        assert "sealed" in next(iter(findings(settings(), connection))).text

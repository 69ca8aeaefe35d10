"""The list and the search of patients on a real PostgreSQL: who is found, in which order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, insert, text, true

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.organizations import patient_list, patient_search
from dhos_connector_api.px.organizations.models import HospitalRow, PatientIdentifierRow, PatientRow
from dhos_connector_api.px.organizations.patient_list import Found

_START = datetime(2026, 1, 1, tzinfo=UTC)

_PATIENT = PatientRow.__table__


def a_patient(database: Database, *numbers: str, minutes: int = 0, **columns: Any) -> UUID:
    """A stored patient with these identifiers."""
    id_ = uuid4()
    made = {
        "id": id_,
        "created_at": _START + timedelta(minutes=minutes),
        "updated_at": _START + timedelta(minutes=minutes),
    } | columns
    with database.transaction() as connection:
        connection.execute(insert(_PATIENT).values(**made, **patient_search.search_values(columns)))
        for number in numbers:
            connection.execute(
                insert(PatientIdentifierRow).values(
                    patient_id=id_, authority="A", type="MRN", value=number, created_at=_START
                )
            )
    return id_


def a_hospital(database: Database, name: str) -> UUID:
    made = {"id": uuid4(), "created_at": _START, "updated_at": _START, "code": name, "name": name}
    with database.transaction() as connection:
        connection.execute(insert(HospitalRow).values(**made))
    return made["id"]  # type: ignore[return-value]


def asked(
    database: Database,
    search: str | None = None,
    *,
    seen: ColumnElement[bool] | None = None,
    ordering: str = "created_at",
    page: int = 1,
    size: int = 50,
    **filters: Any,
) -> Found:
    with database.statements() as connection:
        return patient_search.find(
            connection,
            true() if seen is None else seen,
            {"search": search, **filters},
            ordering=ordering,
            page=page,
            page_size=size,
        )


def found(database: Database, search: str | None = None, **how: Any) -> list[UUID]:
    answer = asked(database, search, **how)
    return [row["id"] for row in answer.rows]


@pytest.mark.parametrize("search", ["MR-100", "mr-100", "MR100X", "943 476 5919", "9434765919"])
def test_any_identifier_finds_a_patient(database: Database, search: str) -> None:
    one = a_patient(database, "MR-100", "9434765919", mrn="MR100X", first_name="Ann")
    a_patient(database, "MR-1001", mrn="MR100Y")
    assert found(database, search) == [one]


@pytest.mark.parametrize(
    "search", ["muller", "MÜLLER jur", "jürgen mul", "احمد", "أحمد", "عائشه", "مُحَمَّد", "عائشة أحمد mull"]
)
def test_names_are_found_by_beginnings_in_any_order_and_spelling(database: Database, search: str) -> None:
    one = a_patient(
        database, first_name="Jürgen", last_name="Müller", first_name_ar="أحمد محمد", last_name_ar="عائشة"
    )
    a_patient(database, first_name="Anna", last_name="Smuller", first_name_ar="خالد")
    assert found(database, search) == [one]


@pytest.mark.parametrize("search", ["zzz", "muller zzz", "-", "'", "a:* & b", "%", "\\", "+", "@", "ء"])
def test_what_fits_nobody_finds_nobody(database: Database, search: str) -> None:
    a_patient(
        database, first_name="Jürgen", last_name="Müller", phone_e164="+966501234567", email="a@b.example"
    )
    assert asked(database, search) == Found([], 0)


@pytest.mark.parametrize(
    "search",
    ["+966501234567", "00966 50 123 4567", "050-123-4567", "0501234567", "٠٥٠١٢٣٤٥٦٧", "(050) 123 4567"],
)
def test_a_number_is_found_in_any_spelling(database: Database, search: str) -> None:
    one = a_patient(database, phone="050 123 4567", phone_e164="+966501234567")
    a_patient(database, phone_e164="+966501234568")
    assert found(database, search) == [one]


def test_a_number_that_is_not_known_as_e164_is_found_as_it_was_told(database: Database) -> None:
    one = a_patient(database, phone="050 123 4567")
    assert found(database, "0501234567") == [one]


def test_an_address_is_found_without_case_and_as_a_whole(database: Database) -> None:
    one = a_patient(database, email="Ann.Lee@Example.org")
    a_patient(database, email="joann.lee@example.org")
    assert found(database, "ann.lee@EXAMPLE.org") == [one]
    assert found(database, "lee@example.org") == []


def test_an_identifier_of_one_merged_finds_the_survivor_and_says_by_whom(database: Database) -> None:
    one = a_patient(database, "M1", "SHARED", first_name="Ann")
    prior = a_patient(database, "M2", mrn="M2", first_name="Anny", merged_into=one)
    a_patient(database, "M3", first_name="Bea")
    (row,) = asked(database, "M2").rows
    assert (row["id"], row["merged_from"]) == (one, prior)
    (row,) = asked(database, "M1").rows
    assert (row["id"], row["merged_from"]) == (one, None)
    assert found(database, "anny") == []
    assert asked(database).count == 2


def test_only_what_is_seen_is_found_and_counted(database: Database) -> None:
    own, other = a_hospital(database, "Own"), a_hospital(database, "Other")
    one = a_patient(
        database, "M1", first_name="Ann", hospital_id=own, phone="0501234567", email="a@b.example"
    )
    survivor = a_patient(
        database, "M2", first_name="Ann", hospital_id=other, phone="0501234567", email="a@b.example"
    )
    a_patient(database, "M4", merged_into=survivor, hospital_id=own)
    seen = _PATIENT.c.hospital_id == own
    for search in (None, "ann", "M1", "0501234567", "a@b.example"):
        answer = asked(database, search, seen=seen)
        assert ([row["id"] for row in answer.rows], answer.count) == ([one], 1)
        assert answer.rows[0]["hospital_name"] == "Own"
    assert found(database, "M2", seen=seen) == found(database, "M4", seen=seen) == []


def test_filters_narrow_a_list_and_a_search(database: Database) -> None:
    own = a_hospital(database, "Own")
    columns: dict[str, Any] = {"hospital_id": own, "gender": "female", "city": "Riyadh", "status": "inactive"}
    one = a_patient(database, first_name="Ann", **columns)
    filters: dict[str, Any] = {
        "primary_hospital": own,
        "gender": "female",
        "city": "riyadh",
        "status": "inactive",
    }
    for name in columns:
        a_patient(database, first_name="Ann", **{each: columns[each] for each in columns if each != name})
    assert found(database, **filters) == found(database, "ann", **filters) == [one]


@pytest.mark.parametrize("search", [None, "ann"])
@pytest.mark.parametrize("ordering", ["created_at", "last_name", "date_of_birth"])
def test_pages_are_in_order_both_ways_and_have_everybody_once(
    database: Database, search: str | None, ordering: str
) -> None:
    rows = [
        a_patient(
            database,
            first_name="Ann",
            last_name=f"L{n % 3}",
            date_of_birth=f"19{50 + n % 4}-01-01",
            minutes=n % 5,
        )
        for n in range(11)
    ]
    listed = [
        each for page in (1, 2, 3) for each in found(database, search, ordering=ordering, page=page, size=4)
    ]
    answer = asked(database, search, ordering=ordering)
    values = [row[ordering] for row in answer.rows]
    assert (set(listed), len(listed), answer.count) == (set(rows), 11, 11)
    assert listed == [row["id"] for row in answer.rows]
    assert values == sorted(values)
    assert found(database, search, ordering=f"-{ordering}") == listed[::-1]
    assert asked(database, search, ordering=ordering, page=9, size=4) == Found([], 11)


def test_a_name_that_very_many_have_is_looked_for_in_the_order_of_the_list(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_search, "MOST_FOUND", 3)
    monkeypatch.setattr(patient_search, "MOST_WALKED", 12)
    monkeypatch.setattr(patient_search, "_ENOUGH", 2)
    rows = [
        a_patient(
            database, first_name="Ann" if n % 2 else "Bea", phone_e164=f"+96650{n % 2}234567", minutes=n
        )
        for n in range(20)
    ]
    for search in ("ann", "0501234567"):
        answer = asked(database, search, ordering="-created_at", page=1, size=4)
        assert ([row["id"] for row in answer.rows], answer.count) == (rows[19:11:-2], 6)
        assert found(database, search, ordering="-created_at", page=2, size=4) == [rows[11], rows[9]]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(search=st.text(max_size=40))
def test_no_text_is_an_error(database: Database, search: str) -> None:
    search = search.replace("\0", "")
    assert asked(database, search).count == 0


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ("zeynep", "patient_search"),
        ("+966500001234", "patient_phone_end"),
        ("p77@x.example", "patient_email"),
        ("MRN77", "patient_mrn"),
    ],
)
def test_each_kind_is_answered_by_its_index(
    database: Database, search: str, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO patient (id, created_at, updated_at, mrn, email, phone_e164, search) SELECT"
                " gen_random_uuid(), now(), now(), 'MRN' || n, 'p' || n || '@x.example',"
                " '+96650' || (1000000 + n),"
                " array_to_tsvector(ARRAY['w' || n]) FROM generate_series(1, 4000) AS n"
            )
        )
        connection.execute(text("ANALYZE patient, patient_identifier"))
    statements: list[str] = []

    def explained(connection: Any, wanted: Any, each: Any, of: Any = None) -> tuple[Found, int]:
        query = patient_list.page_of(wanted, each, of)
        compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
        rows = connection.exec_driver_sql(f"EXPLAIN {compiled}", compiled.params).scalars()
        statements.append("\n".join(rows))
        return Found([], 0), 0

    monkeypatch.setattr(patient_search, "among", explained)
    asked(database, search)
    assert index in statements[0]

"""Hospitals, departments, physicians and employees: what may be stored, and what is found again."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import false, true

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import InvalidFields, NotFound, PreconditionFailed
from dhos_connector_api.px.organizations import store
from dhos_connector_api.px.organizations.demo import demo_hospital
from dhos_connector_api.px.organizations.resources import DEPARTMENT, EMPLOYEE, HOSPITAL, PHYSICIAN
from dhos_connector_api.px.organizations.store import Wanted
from tests.builders.organizations import (
    a_department,
    a_hospital,
    a_physician,
    a_user,
    an_employee,
    changed,
    deactivated,
    made,
)
from tests.builders.rows import later


def refused(act: Callable[[], object]) -> dict[str, list[str]]:
    """What does not fit of that."""
    with pytest.raises(InvalidFields) as refusal:
        act()
    return {name: list(texts) for name, texts in refusal.value.details.items()}


def found(database: Database, resource: Any, search: str, **equal: Any) -> list[UUID]:
    wanted = Wanted(next(iter(resource.orders)), equal=equal, search=search)
    with database.statements() as connection:
        rows = store.listed(connection, resource, wanted, true(), offset=0, limit=50)
        assert store.count(connection, resource, wanted, true()) == len(rows)
    return [row["id"] for row in rows]


def test_a_new_one_has_what_was_given_trimmed_and_else_nothing(database: Database) -> None:
    row = a_hospital(database, name="  AlHammadi ", city=" ", region="SA", phone="0112345678", capacity=200)
    assert (row["name"], row["city"], row["name_ar"]) == ("AlHammadi", None, None)
    assert (row["phone"], row["status"], row["version"]) == ("0112345678", "active", 1)


def test_put_empties_what_is_not_given_and_patch_leaves_it(database: Database) -> None:
    hospital = a_hospital(database)
    row = a_department(database, hospital["id"], location="A1", ward_codes=["W1", " W1 ", "W2"])
    assert row["ward_codes"] == ["W1", "W2"]
    row = changed(database, DEPARTMENT, row, phone="+966112345678")
    assert (row["location"], row["version"], row["ward_codes"]) == ("A1", 2, ["W1", "W2"])
    given: dict[str, Any] = {"hospital": str(hospital["id"]), "name": "New", "code": row["code"]}
    row = changed(database, DEPARTMENT, row, whole=True, **given)
    assert (row["location"], row["phone"], row["ward_codes"], row["version"]) == (None, None, [], 3)


@pytest.mark.parametrize("resource", [DEPARTMENT, PHYSICIAN, EMPLOYEE], ids=lambda each: each.name)
def test_a_key_is_unique_within_its_hospital(database: Database, resource: Any) -> None:
    one, other = a_hospital(database), a_hospital(database)
    taken: dict[str, Any] = {resource.key: "K1"}
    first = made(database, resource, one["id"], **taken)
    made(database, resource, other["id"], **taken)
    assert refused(lambda: made(database, resource, one["id"], **taken)) == {resource.key: ["is taken"]}
    second = made(database, resource, one["id"])
    assert refused(lambda: changed(database, resource, second, **taken)) == {resource.key: ["is taken"]}
    assert changed(database, resource, first, **taken)["version"] == 2


def test_codes_of_hospitals_are_unique_over_all(database: Database) -> None:
    a_hospital(database, code="H1")
    assert refused(lambda: a_hospital(database, code="H1")) == {"code": ["is taken"]}


def test_all_that_does_not_fit_is_told_at_once(database: Database) -> None:
    hospital = a_hospital(database)
    details = refused(
        lambda: a_physician(database, hospital["id"], phone="12", email="no", department=str(uuid4()))
    )
    assert set(details) == {"phone", "email", "department"}
    blank = refused(lambda: a_physician(database, hospital["id"], first_name="  ", last_name="\0x"))
    assert set(blank) == {"first_name", "last_name"}
    assert refused(lambda: a_physician(database, uuid4())) == {"hospital": ["there is no such hospital"]}
    assert refused(lambda: a_hospital(database, region="XX", phone="0112345678")) == {
        "region": ["is no country (two letters, ISO 3166-1)"]
    }


def test_a_number_is_one_of_the_hospitals_region(database: Database) -> None:
    without, saudi = a_hospital(database), a_hospital(database, region="SA")
    assert set(refused(lambda: a_physician(database, without["id"], phone="0501234567"))) == {"phone"}
    row = a_physician(database, saudi["id"], phone="050 123 4567")
    assert row["phone"] == "050 123 4567"
    changed(database, HOSPITAL, saudi, region=None)
    assert changed(database, PHYSICIAN, row, specialization="ENT")["phone"] == "050 123 4567"


def test_a_parent_and_a_department_are_of_the_same_hospital(database: Database) -> None:
    one, other = a_hospital(database), a_hospital(database)
    foreign = a_department(database, other["id"])["id"]
    for resource, name in ((DEPARTMENT, "parent"), (PHYSICIAN, "department"), (EMPLOYEE, "department")):
        wrong: dict[str, Any] = {name: str(foreign)}
        details = refused(lambda: made(database, resource, one["id"], **wrong))  # noqa: B023
        assert details == {name: ["is no department of this hospital"]}
    mine = a_department(database, one["id"])
    assert refused(lambda: changed(database, DEPARTMENT, mine, hospital=str(other["id"]))) == {
        "hospital": ["cannot be changed"]
    }


def test_a_department_is_never_below_itself(database: Database) -> None:
    hospital = a_hospital(database)["id"]
    top = a_department(database, hospital)
    middle = a_department(database, hospital, parent=str(top["id"]))
    low = a_department(database, hospital, parent=str(middle["id"]))
    for above in (top, middle, low):
        assert refused(lambda: changed(database, DEPARTMENT, top, parent=str(above["id"]))) == {  # noqa: B023
            "parent": ["would be below itself"]
        }
    assert changed(database, DEPARTMENT, low, parent=str(top["id"]))["parent_name"] == top["name"]


def test_two_who_move_departments_below_each_other_at_once_make_no_circle(database: Database) -> None:
    hospital = a_hospital(database)["id"]
    for _ in range(10):
        one, other = a_department(database, hospital), a_department(database, hospital)
        together = threading.Barrier(2)

        def move(row: store.Row, below: store.Row) -> bool:
            together.wait()  # noqa: B023
            try:
                changed(database, DEPARTMENT, row, parent=str(below["id"]))
            except InvalidFields:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            moved = [threads.submit(move, one, other), threads.submit(move, other, one)]
        assert sorted(each.result() for each in moved) == [False, True]


def test_one_of_two_who_give_the_same_ward_or_code_at_once_is_told(database: Database) -> None:
    hospital = a_hospital(database)["id"]
    together = threading.Barrier(8)

    def make(fields: dict[str, Any]) -> str:
        together.wait()
        try:
            a_department(database, hospital, **fields)
        except InvalidFields as error:
            return ",".join(error.details)
        return "made"

    given = [{"ward_codes": ["W9"]}] * 4 + [{"code": "SAME"}] * 4
    with ThreadPoolExecutor(8) as threads:
        outcomes = sorted(threads.map(make, given))
    assert outcomes == ["code"] * 3 + ["made"] * 2 + ["ward_codes"] * 3


def test_a_head_and_an_employees_user_are_active_users_of_the_hospital(database: Database) -> None:
    one, other = a_hospital(database)["id"], a_hospital(database)["id"]
    own, foreign, gone = (
        a_user(database, one),
        a_user(database, other),
        a_user(database, one, is_active=False),
    )
    for user in (foreign, gone, uuid4()):
        wrong = str(user)
        assert refused(lambda: a_department(database, one, manager=wrong)) == {  # noqa: B023
            "manager": ["is no active user of this hospital"]
        }
        assert set(refused(lambda: an_employee(database, one, user=wrong))) == {"user"}  # noqa: B023
    assert a_department(database, one, manager=str(own))["manager_id"] == own
    assert an_employee(database, one, user=str(own))["user_id"] == own


def test_what_is_inactive_stays_but_takes_nothing_new(database: Database) -> None:
    hospital = a_hospital(database)
    department = a_department(database, hospital["id"])
    physician = a_physician(database, hospital["id"], department=str(department["id"]))
    gone = deactivated(database, DEPARTMENT, department)
    assert (gone["status"], gone["version"]) == ("inactive", 2)
    assert deactivated(database, DEPARTMENT, department)["version"] == 2
    inactive = ["is inactive and takes nothing new"]
    below = str(department["id"])
    assert refused(lambda: a_department(database, hospital["id"], parent=below)) == {"parent": inactive}
    assert refused(lambda: a_physician(database, hospital["id"], department=below)) == {
        "department": inactive
    }
    assert changed(database, PHYSICIAN, physician, specialization="ENT")["department_id"] == department["id"]
    deactivated(database, HOSPITAL, hospital)
    assert refused(lambda: a_physician(database, hospital["id"])) == {"hospital": inactive}
    assert refused(lambda: changed(database, DEPARTMENT, department, status="active")) == {
        "hospital": inactive
    }


def test_of_two_who_change_the_same_version_the_second_is_told(database: Database) -> None:
    row = a_department(database, a_hospital(database)["id"])
    together = threading.Barrier(2)

    def change(name: str) -> bool:
        together.wait()
        try:
            changed(database, DEPARTMENT, row, version=1, name=name)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(change, ["one", "two"])) == [False, True]
    with pytest.raises(PreconditionFailed):
        deactivated(database, DEPARTMENT, row, version=1)
    assert deactivated(database, DEPARTMENT, row, version=2)["status"] == "inactive"


def test_what_is_not_seen_is_not_there(database: Database) -> None:
    row = a_hospital(database)
    with pytest.raises(NotFound):
        changed(database, HOSPITAL, row, seen=false(), name="x")
    with database.statements() as connection, pytest.raises(NotFound):
        store.get(connection, HOSPITAL, row["id"], false())


def test_a_search_knows_codes_names_in_both_languages_and_their_variants(database: Database) -> None:
    one = a_hospital(database, name="Klinik Müller", name_ar="مستشفى الإحسان", code="ICU-3")["id"]
    a_hospital(database, name="Other", name_ar="غيره")
    for text in ("muller", "KLI mül", "icu3", "icu-3", "مستشفي", "احسان", "الاحسان", "مُسـتشفى"):
        assert found(database, HOSPITAL, text) == [one], text
    for text in ("nothing", "muller other", "!", "ller"):
        assert found(database, HOSPITAL, text) == [], text
    with database.statements() as connection:
        row = store.get(connection, HOSPITAL, one, true())
    changed(database, HOSPITAL, row, name="Renamed")
    assert found(database, HOSPITAL, "muller") == []
    assert found(database, HOSPITAL, "renam") == [one]


def test_every_page_is_the_same_whether_it_is_looked_for_from_the_end_or_not(database: Database) -> None:
    for _ in range(11):
        a_hospital(database)
    for descending in (False, True):
        wanted = Wanted("code", descending)
        with database.statements() as connection:
            for offset in range(0, 13, 3):
                one, other = (
                    store.listed(connection, HOSPITAL, wanted, true(), offset=offset, limit=3, of=of)
                    for of in (None, 11)
                )
                assert [row["id"] for row in one] == [row["id"] for row in other]
                assert len(one) == max(min(3, 11 - offset), 0)


def test_the_hospital_that_a_newcomer_finds_is_found_by_its_name(database: Database) -> None:
    with database.transaction() as connection:
        id_ = demo_hospital(connection, uuid4(), later())
        assert demo_hospital(connection, uuid4(), later()) == id_
    assert found(database, HOSPITAL, "demo") == found(database, HOSPITAL, "تجريبي") == [id_]


def test_people_are_searched_by_both_names_and_number(database: Database) -> None:
    hospital = a_hospital(database)["id"]
    ahmed = a_physician(
        database,
        hospital,
        first_name="Ahmed",
        last_name="Al-Saud",
        first_name_ar="أحمد",
        license_number="PHY001",
        specialization="Internal Medicine",
    )["id"]
    a_physician(database, hospital, first_name="Sara")
    for text in ("ahm sau", "احمد", "phy001"):
        assert found(database, PHYSICIAN, text) == [ahmed], text
    assert found(database, PHYSICIAN, "ahmed", specialization="internal medicine") == [ahmed]
    assert found(database, PHYSICIAN, "ahmed", specialization="Surgery") == []

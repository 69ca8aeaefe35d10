"""People and roles at rest. Nothing here commits."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_nothing

from dhos_connector_api.px.organizations.tree import hospital_name
from dhos_connector_api.px.people.models import UserRoleRow, UserRow
from dhos_connector_api.px.people.person import Person

#: One trip for each request with a person's token.
_PERSON = """
SELECT u.id, u.hospital_id, u.department_id, coalesce(max(r.level), 0) AS level,
    coalesce(array_agg(r.name) FILTER (WHERE r.id IS NOT NULL), '{}') AS roles
FROM px_user u LEFT JOIN user_role g ON g.user_id = u.id LEFT JOIN role r ON r.id = g.role_id
WHERE u.id = %(id)s AND u.is_active AND u.token_generation = %(generation)s
GROUP BY u.id
"""
#: The level of each of these users; of who has no role, 0.
_LEVELS = text("""
SELECT u.id, coalesce(max(r.level), 0) AS level
FROM px_user u LEFT JOIN user_role g ON g.user_id = u.id LEFT JOIN role r ON r.id = g.role_id
WHERE u.id = ANY(:ids) GROUP BY u.id
""")
_ROLES_OF = text("""
SELECT g.user_id, r.id, r.name, r.level FROM user_role g JOIN role r ON r.id = g.role_id
WHERE g.user_id = ANY(:ids) ORDER BY r.level DESC
""")
_OTHER_ADMINS = text("""
SELECT count(*) FROM px_user u JOIN user_role g ON g.user_id = u.id JOIN role r ON r.id = g.role_id
WHERE r.level = :level AND u.is_active AND u.id <> :id
""")
#: The columns that are shown; never the password's hash.
SHOWN = (
    *(UserRow.id, UserRow.created_at, UserRow.updated_at, UserRow.version, UserRow.username, UserRow.email),
    *(UserRow.first_name, UserRow.last_name, UserRow.phone, UserRow.employee_id, UserRow.language),
    *(UserRow.hospital_id, UserRow.department_id, UserRow.is_active, UserRow.last_login_at),
    hospital_name(UserRow.__table__.c.hospital_id).label("hospital_name"),
)


def find_person(connection: Connection, id_: UUID, generation: int) -> Person | None:
    """Return the active user whose tokens are of that generation, with his roles; None: there is none."""
    row = connection.exec_driver_sql(_PERSON, {"id": id_, "generation": generation}).one_or_none()
    if row is None:
        return None
    return Person(row.id, row.level, row.hospital_id, row.department_id, frozenset(row.roles))


def roles(connection: Connection) -> Sequence[RowMapping]:
    """Return the eight roles, the highest first."""
    query = text("SELECT id, name, name_ar, level FROM role ORDER BY level DESC")
    return connection.execute(query).mappings().all()


def roles_of(connection: Connection, ids: Collection[UUID]) -> dict[UUID, list[RowMapping]]:
    """Return the roles of these users, the highest first."""
    found: dict[UUID, list[RowMapping]] = {each: [] for each in ids}
    if found:
        for row in connection.execute(_ROLES_OF, {"ids": list(found)}).mappings():
            found[row["user_id"]].append(row)
    return found


def get(connection: Connection, id_: UUID, within: ColumnElement[bool]) -> RowMapping | None:
    """Return a user as he is shown; None where there is none `within` that condition."""
    query = select(*SHOWN).where(UserRow.id == id_, within)
    return connection.execute(query).mappings().one_or_none()


def lock(connection: Connection, ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the levels of these users, and keep others from changing them until the transaction ends."""
    query = text("SELECT id FROM px_user WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
    connection.execute(query, {"ids": list(ids)})
    return {row.id: row.level for row in connection.execute(_LEVELS, {"ids": list(ids)})}


def other_active(connection: Connection, level: int, id_: UUID) -> int:
    """Return how many active users but that one have the role of that level.

    Who asks so waits for who has asked before, until that one's transaction ends.
    """
    connection.execute(text("SELECT id FROM role WHERE level = :level FOR NO KEY UPDATE"), {"level": level})
    count: int = connection.execute(_OTHER_ADMINS, {"level": level, "id": id_}).scalar_one()
    return count


def add(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Store a new user; return whether that was possible: his name and address are not taken."""
    query = insert_or_nothing(UserRow).values(**row).on_conflict_do_nothing().returning(UserRow.id)
    return connection.execute(query).one_or_none() is not None


def change(
    connection: Connection, id_: UUID, columns: Mapping[str, Any], *, at: datetime, version: int | None = None
) -> RowMapping | None:
    """Change these columns of a user, and return him; None where he is not there, or in another version."""
    query = update(UserRow).where(UserRow.id == id_)
    if version is not None:
        query = query.where(UserRow.version == version)
    query = query.values({**columns, "version": UserRow.version + 1, "updated_at": at}).returning(*SHOWN)
    return connection.execute(query).mappings().one_or_none()


def taken(connection: Connection, username: str | None, email: str | None, but: UUID | None) -> list[str]:
    """Return which of `username` and `email` another user than `but` has."""
    query = text("""
        SELECT bool_or(lower(username) = lower(:username)) AS username,
            bool_or(lower(email) = lower(:email)) AS email
        FROM px_user WHERE (lower(username) = lower(:username) OR lower(email) = lower(:email))
            AND (CAST(:but AS uuid) IS NULL OR id <> :but)
    """)
    row = connection.execute(query, {"username": username, "email": email, "but": but}).mappings().one()
    return [name for name in ("username", "email") if row[name]]


def named(connection: Connection, username: str) -> UUID | None:
    """Return the id of the user with that name; None where there is none."""
    query = text("SELECT id FROM px_user WHERE lower(username) = lower(:username)")
    found: UUID | None = connection.execute(query, {"username": username}).scalar_one_or_none()
    return found


def password_hash(connection: Connection, id_: UUID) -> str:
    """Return the hash of a user's password."""
    return str(connection.execute(select(UserRow.password_hash).where(UserRow.id == id_)).scalar_one())


def renew_hash(connection: Connection, id_: UUID, hash_: str) -> None:
    """Store another hash of the same password."""
    connection.execute(update(UserRow).where(UserRow.id == id_).values(password_hash=hash_))


def void_tokens(connection: Connection, id_: UUID) -> None:
    """Make every access token of a user void."""
    generation = UserRow.token_generation + 1
    connection.execute(update(UserRow).where(UserRow.id == id_).values(token_generation=generation))


def grant(connection: Connection, id_: UUID, role_id: UUID, *, at: datetime, by: UUID | None) -> bool:
    """Give a user a role; return whether he did not have it."""
    row = {"user_id": id_, "role_id": role_id, "granted_at": at, "granted_by": by}
    query = insert_or_nothing(UserRoleRow).values(**row).on_conflict_do_nothing()
    return connection.execute(query.returning(UserRoleRow.user_id)).one_or_none() is not None


def take_away(connection: Connection, id_: UUID, role_id: UUID) -> bool:
    """Take a role from a user; return whether he had it."""
    query = text("DELETE FROM user_role WHERE user_id = :user AND role_id = :role")
    return connection.execute(query, {"user": id_, "role": role_id}).rowcount == 1

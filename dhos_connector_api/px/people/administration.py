"""What only who runs the Connector may do: the first PX Admin, a forgotten password, a user who waits."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, select, text, true

from dhos_connector_api.errors import BadInput, Conflict, InvalidFields, NotFound
from dhos_connector_api.px.audit.store import COMMAND, Entry, record
from dhos_connector_api.px.people import changes, password_rules, search, store, token_store
from dhos_connector_api.px.people.changes import By
from dhos_connector_api.px.people.models import UserRow
from dhos_connector_api.px.people.rights import PX_ADMIN
from dhos_connector_api.px.people.search import Filters

_PAGE = 500


def random_password() -> str:
    """Return a password nobody can foretell, in letters and digits that can be typed."""
    return secrets.token_urlsafe(15)


def create_admin(
    connection: Connection,
    username: str,
    hash_: str,
    *,
    at: datetime,
    email: str | None = None,
    hospital_id: UUID | None = None,
) -> UUID:
    """Store a new user who is PX Admin, and return his id. Raises Conflict, BadInput."""
    columns = {"username": username, "email": email, "hospital_id": hospital_id}
    try:
        id_ = changes.make(connection, columns, hash_, By(None, at))
    except InvalidFields as error:
        said = "; ".join(f"{name} {', '.join(texts)}" for name, texts in error.details.items())
        raise Conflict(said) from None
    changes.grant(connection, id_, _admin_role(connection), By(None, at), within=true())
    _audit(connection, "create", id_, hospital_id, ("email", "password", "roles", "username"))
    return id_


def set_password(connection: Connection, username: str, hash_: str, at: datetime) -> None:
    """Give a user another password; every token of his is void, and he need not wait. Raises NotFound."""
    id_ = _named(connection, username)
    row = changes.set_password(connection, id_, hash_, By(None, at), within=true())
    _audit(connection, "set_password", id_, row["hospital_id"], ("password",))


def unlock(connection: Connection, username: str) -> None:
    """Forget the wrong passwords of a user, who need not wait any more. Raises NotFound."""
    id_ = _named(connection, username)
    token_store.unlock(connection, id_)
    row = store.get(connection, id_, true())
    _audit(connection, "unlock", id_, row["hospital_id"] if row else None, ())


def check(password: str, username: str) -> None:
    """Raise BadInput for a password that is not taken."""
    if refused := password_rules.refusals(password, (username,)):
        raise BadInput(f"the password {', '.join(refused)}")


def everybody(connection: Connection) -> Iterator[tuple[RowMapping, list[RowMapping]]]:
    """Yield all users by name, each with his roles."""
    offset = 0
    while True:
        rows = search.page(connection, true(), Filters(), ordering="username", limit=_PAGE, offset=offset)
        roles = store.roles_of(connection, [row["id"] for row in rows])
        yield from ((row, roles[row["id"]]) for row in rows)
        offset += _PAGE
        if len(rows) < _PAGE:
            return


def is_anybody(connection: Connection) -> bool:
    """Return whether there is any user."""
    return connection.execute(select(UserRow.id).limit(1)).one_or_none() is not None


def _admin_role(connection: Connection) -> UUID:
    query = text("SELECT id FROM role WHERE level = :level")
    found: UUID = connection.execute(query, {"level": PX_ADMIN}).scalar_one()
    return found


def _named(connection: Connection, username: str) -> UUID:
    found = store.named(connection, username)
    if found is None:
        raise NotFound("there is no user of that name")
    return found


def _audit(
    connection: Connection, action: str, id_: UUID, hospital_id: UUID | None, fields: tuple[str, ...]
) -> None:
    record(connection, Entry(COMMAND, action, "user", id_, hospital_id, fields=fields))

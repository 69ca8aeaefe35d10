"""Which of some users are active ones of a hospital: heads of departments are, and employees with a user."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, select

from dhos_connector_api.px.people.models import UserRow


def active_users(connection: Connection, hospital_id: UUID, ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of these users are active and of that hospital."""
    query = select(UserRow.id).where(
        UserRow.id.in_(ids), UserRow.hospital_id == hospital_id, UserRow.is_active
    )
    return frozenset(connection.execute(query).scalars())

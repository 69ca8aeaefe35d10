"""What a newcomer finds: a demo hospital, and an admin to log in with."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.px.audit.store import SYSTEM, Entry, record
from dhos_connector_api.px.journeys import seeding
from dhos_connector_api.px.journeys.seeds import HIS
from dhos_connector_api.px.organizations.demo import demo_hospital
from dhos_connector_api.px.people import administration
from dhos_connector_api.px.people.passwords import Passwords
from dhos_connector_api.px.people.settings import PeopleSettings

_USERNAME = "admin"


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The one who was made, with his password, which nobody is told again."""

    username: str
    password: str


def first_people(settings: Settings) -> FirstAdmin | None:
    """Make a demo hospital and an admin, and return him; None in PRODUCTION, or where there are people."""
    if settings.of(ServiceSettings).is_production or not settings.of(PeopleSettings).keys:
        return None
    database = open_database(settings)
    try:
        with database.statements() as connection:
            if administration.is_anybody(connection):
                return None
        made = FirstAdmin(_USERNAME, administration.random_password())
        hash_, now = Passwords().hash(made.password), clock.now()
        with database.transaction() as connection:
            id_ = clock.new_uuid(now)
            hospital = demo_hospital(connection, id_, now)
            if hospital == id_:
                fields = ("code", "name", "name_ar", "region")
                record(connection, Entry(SYSTEM, "create", "hospital", id_, id_, fields=fields))
                _seed_journeys(connection, hospital, now)
            administration.create_admin(connection, made.username, hash_, at=now, hospital_id=hospital)
        return made
    finally:
        database.engine.dispose()


def _seed_journeys(connection: Connection, hospital: UUID, at: datetime) -> None:
    """Make the template of the HIS's visits, so that the first journey has one."""
    seeded = seeding.seed(connection, hospital, HIS, at=at)
    for action, type_, done in seeding.entries(seeded):
        fields = tuple(sorted(done.fields))
        record(connection, Entry(SYSTEM, action, type_, done.row["id"], hospital, fields=fields))

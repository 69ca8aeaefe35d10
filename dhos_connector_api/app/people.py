"""The wing's people put together: who a token's person is, and the parts of its handlers."""

from collections.abc import Callable
from datetime import datetime, timedelta

from dhos_connector_api import clock
from dhos_connector_api.api.px_parts import PxParts
from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import TokenRejected
from dhos_connector_api.http.settings import TokenSettings
from dhos_connector_api.px.people import rights, store, tokens
from dhos_connector_api.px.people.passwords import Passwords
from dhos_connector_api.px.people.person import Person
from dhos_connector_api.px.people.sessions import Sessions
from dhos_connector_api.px.people.settings import PeopleSettings
from dhos_connector_api.px.people.tokens import AccessClaims


class People:
    """What `http.person_security` has to know of persons (its `Persons`); `signer` None: not set up."""

    def __init__(
        self, database: Database, signer: Issuer | None, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._database, self._signer, self._now = database, signer, now

    @property
    def is_set_up(self) -> bool:
        """Return whether there are persons' tokens in this installation."""
        return self._signer is not None

    def claims(self, token: str) -> AccessClaims:
        """Return what a token says. Raises UnknownIssuer, TokenRejected."""
        return tokens.read(token, self._signer or tokens.issuer(()), self._now())

    def find(self, claims: AccessClaims) -> Person:
        """Return the person. Raises TokenRejected where the token is void, whatever the reason."""
        with self._database.statements() as connection:
            found = store.find_person(connection, claims.user_id, claims.generation)
        if found is None:
            raise TokenRejected("the token is void; log in again")
        return found

    def allow(self, person: Person, right: str) -> None:
        """Raise RightMissing where that person does not have that right."""
        rights.check(person.level, right)


def signer_of(settings: Settings) -> Issuer | None:
    """Return who signs persons' tokens; None without PX_HS_KEY."""
    keys = settings.of(PeopleSettings).keys
    return tokens.issuer(keys) if keys else None


def px_parts(settings: Settings, signer: Issuer | None, passwords: Passwords) -> PxParts:
    """Return the parts of the wing's handlers."""
    given = settings.of(PeopleSettings)
    access, refresh = timedelta(seconds=given.access_lifetime), timedelta(seconds=given.refresh_lifetime)
    return PxParts(
        public_url=settings.of(TokenSettings).names.public_url,
        passwords=passwords,
        sessions=Sessions(signer, access, refresh, passwords) if signer else None,
    )

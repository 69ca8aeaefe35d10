"""The parts the wing's handlers work with, beside those of `Services`."""

from dataclasses import dataclass

from dhos_connector_api.errors import NotAvailableHere
from dhos_connector_api.px.people.passwords import Passwords
from dhos_connector_api.px.people.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class PxParts:
    """The parts of the wing in one process. `public_url` is the service's address as clients know it.

    `sessions` None: persons cannot log in here (PX_HS_KEY is not set).
    """

    public_url: str | None
    passwords: Passwords
    sessions: Sessions | None

    def logging_in(self) -> Sessions:
        """Return what makes tokens. Raises NotAvailableHere."""
        if self.sessions is None:
            raise NotAvailableHere("persons cannot log in here: PX_HS_KEY is not set")
        return self.sessions

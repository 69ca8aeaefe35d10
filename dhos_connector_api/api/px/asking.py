"""The person who asks, and how far his right to the operation at hand reaches."""

from dhos_connector_api.api.px_parts import PxParts
from dhos_connector_api.api.services import services
from dhos_connector_api.http import call
from dhos_connector_api.px.people import scope as scopes
from dhos_connector_api.px.people.person import Person
from dhos_connector_api.px.people.scope import Scope


def person() -> Person:
    """Return the person who asks, inside a Flask view of an operation that takes persons alone."""
    found: Person = call.current().person
    return found


def scope() -> Scope:
    """Return how far the operation's right (`x-right`) reaches for the person who asks."""
    here = call.current()
    return scopes.scope(here.person, here.right or "")


def parts() -> PxParts:
    """Return the wing's parts, inside a Flask view."""
    return services().px

"""Whose tokens are taken here, and tokens of our own making."""

from datetime import timedelta

from dhos_connector_api import clock
from dhos_connector_api.auth import jwt
from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.config.load import Settings
from dhos_connector_api.errors import NotFound
from dhos_connector_api.http.settings import TokenSettings


def issuers_of(settings: Settings) -> tuple[Issuer, ...]:
    """Return the issuers whose tokens are taken: the platform, and the EPR adapter if it is set up."""
    given = settings.of(TokenSettings)
    known = [Issuer("internal", given.issuer, given.keys)]
    if given.adapter_issuer and given.adapter_keys:
        known.append(Issuer("epr_adapter", given.adapter_issuer, given.adapter_keys))
    return tuple(known)


def token(
    settings: Settings,
    *,
    issuer: str = "internal",
    scope: str = "write:hl7_message read:hl7_message",
    system_id: str = "command-line",
    seconds: int | None = None,
) -> str:
    """Return a token made with this environment's keys. Raises NotFound for an issuer not set up here."""
    given = settings.of(TokenSettings)
    for known in issuers_of(settings):
        if known.name == issuer:
            return jwt.issue(
                known,
                audience=given.issuer,
                scopes=scope.split(),
                now=clock.now(),
                lifetime=timedelta(seconds=seconds or given.lifetime),
                metadata={"system_id": system_id},
            )
    raise NotFound(f"the issuer {issuer} is not set up here")

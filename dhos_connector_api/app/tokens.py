"""Whose tokens are taken here, and tokens of our own making."""

from datetime import timedelta

from dhos_connector_api import clock
from dhos_connector_api.auth import jwt
from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.config.settings import Settings
from dhos_connector_api.errors import NotFound


def issuers_of(settings: Settings) -> tuple[Issuer, ...]:
    """Return the issuers whose tokens are taken: the platform, and the EPR adapter if it is set up."""
    known = [_issuer("internal", settings.hs_issuer, settings.hs_key, settings.hs_key_previous)]
    if settings.epr_service_adapter_issuer and settings.epr_service_adapter_hs_key:
        known.append(
            _issuer(
                "epr_adapter",
                settings.epr_service_adapter_issuer,
                settings.epr_service_adapter_hs_key,
                settings.epr_service_adapter_hs_key_previous,
            )
        )
    return tuple(known)


def _issuer(name: str, iss: str, key: str, previous: str | None) -> Issuer:
    return Issuer(name, iss, (key, previous) if previous else (key,))


def token(
    settings: Settings,
    *,
    issuer: str = "internal",
    scope: str = "write:hl7_message read:hl7_message",
    system_id: str = "command-line",
    seconds: int | None = None,
) -> str:
    """Return a token made with this environment's keys. Raises NotFound for an issuer not set up here."""
    for known in issuers_of(settings):
        if known.name == issuer:
            return jwt.issue(
                known,
                audience=settings.hs_issuer,
                scopes=scope.split(),
                now=clock.now(),
                lifetime=timedelta(seconds=seconds or settings.jwt_expiry_in_seconds),
                metadata={"system_id": system_id},
            )
    raise NotFound(f"the issuer {issuer} is not set up here")

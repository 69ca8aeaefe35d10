"""One web process: the specification served, with everything behind it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypedDict, Unpack

from starlette.types import ASGIApp

from dhos_connector_api.api import (
    api_keys,
    deliveries,
    documents,
    events,
    his_patient_data,
    mappings,
    messages,
    observations,
    operations,
    webhooks,
)
from dhos_connector_api.api.px import (
    audit,
    auth,
    departments,
    employees,
    hospitals,
    journey_stages,
    journey_templates,
    journeys,
    patients,
    physicians,
    stage_templates,
)
from dhos_connector_api.api.px_parts import PxParts
from dhos_connector_api.api.services import EXTENSION, Services
from dhos_connector_api.app import incoming, relay
from dhos_connector_api.app.brokers import broker_addresses
from dhos_connector_api.app.exposition import database_is_ready, exposition
from dhos_connector_api.app.hospitals import KnownHospitals
from dhos_connector_api.app.incoming import IntakeSource
from dhos_connector_api.app.outgoing import outbound
from dhos_connector_api.app.people import People, px_parts, signer_of
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.app.tokens import issuers_of
from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.auth.signatures import Secret
from dhos_connector_api.broker.state import BrokerState
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db.engine import STATEMENT_TIMEOUT, Database
from dhos_connector_api.deliveries.send import Outbound
from dhos_connector_api.errors import BadSetting, StorageUnavailable
from dhos_connector_api.http import assembly, key_security, person_security, probes, waiting
from dhos_connector_api.http.application import Application
from dhos_connector_api.http.body_limit import BodyLimit
from dhos_connector_api.http.key_security import KeySecurity
from dhos_connector_api.http.large_answers import LargeAnswers
from dhos_connector_api.http.leaving import Leaving
from dhos_connector_api.http.limits import ByAddress, RateLimiting
from dhos_connector_api.http.person_security import Persons, PersonSecurity
from dhos_connector_api.http.readiness import Readiness
from dhos_connector_api.http.routing import Handler
from dhos_connector_api.http.security import TokenSecurity
from dhos_connector_api.http.settings import HttpSettings, TokenSettings, WebhookSettings
from dhos_connector_api.http.waiting import KeepTogether
from dhos_connector_api.intake.arrival import Arrival, Intake, Receipt
from dhos_connector_api.intake.together import Patience, take_together
from dhos_connector_api.px.people.passwords import Passwords
from dhos_connector_api.spec import document as specification

#: The edge of each tag of the specification: a module of the tag's name.
EDGES = (
    *(api_keys, deliveries, documents, events, his_patient_data),
    *(mappings, messages, observations, operations, webhooks),
    # of the wing px
    *(auth, hospitals, departments, physicians, employees, patients, audit),
    *(journeys, journey_stages),
    *(journey_templates, stage_templates),
)

#: Database connections for looking up who asks.
_LOOK_UPS = key_security.CONNECTIONS + person_security.CONNECTIONS


class Parts(TypedDict, total=False):
    """The parts of a web process that `create_app` makes, by name: those of `Services`, and of its own.

    `key_database` has connections of its own, so that a key or person is known while every thread waits, and
    `together_database` one for what is kept together.
    """

    database: Database
    key_database: Database
    together_database: Database
    issuers: tuple[Issuer, ...]
    intake: Callable[[], Intake]
    outbound: Callable[[], Outbound]
    leaving: Leaving
    check_ready: Callable[[], None]
    state_of_broker: Callable[[], str]
    metrics: Callable[[], bytes] | None
    limits: RateLimiting
    answers: LargeAnswers
    webhook_secrets: Mapping[str, tuple[Secret, ...]]
    serves_docs: bool
    signer: Issuer | None
    passwords: Passwords
    people: Persons
    px: PxParts


def create_app(settings: Settings, **overrides: Unpack[Parts]) -> ASGIApp:
    """Return one web process's application. `overrides` are parts to use instead of ours.

    Raises BadSetting, BadSite; TypeError for an override that is no part.
    """
    unknown = overrides.keys() - Parts.__annotations__.keys()
    if unknown:
        raise TypeError(f"create_app makes no part of that name: {', '.join(sorted(unknown))}")
    http = settings.of(HttpSettings)
    document = specification.load()
    parts = _parts(settings, document, overrides)
    services = Services(**{each.name: parts[each.name] for each in fields(Services)})
    application = Application("dhos_connector_api", static_folder=None)
    application.extensions[EXTENSION] = services
    allowed = {each.id: each.allowed_issuers for each in specification.operations(document)}
    if "database" not in overrides:
        relay.wake_after_commits(settings)
    return assembly.build_asgi(
        application,
        document=document,
        handlers=handlers(document),
        limits=services.limits,
        tokens=TokenSecurity(parts["issuers"], settings.of(TokenSettings).issuer, allowed),
        keys=KeySecurity(parts["key_database"]),
        persons=PersonSecurity(parts["people"], document),
        probes={"/running": probes.running(), "/version": _version(settings.of(ServiceSettings))},
        threads=http.threads,
        bodies=BodyLimit(http.max_body_bytes, http.body_budget),
        serves_docs=services.serves_docs,
        keep_together=_keep_together(services.intake, parts["together_database"]),
    )


def handlers(document: dict[str, Any]) -> dict[str, Handler]:
    """Return the handler of every operation: the function of its id in the module of its tag."""
    edges = {edge.__name__.rpartition(".")[2]: edge for edge in EDGES}
    return {
        operation.id: getattr(edges[operation.tag], operation.id)
        for operation in specification.operations(document)
        if not operation.is_answered_before_flask
    }


def _parts(settings: Settings, document: dict[str, Any], overrides: Parts) -> dict[str, Any]:
    """Every part, by its name in `Parts`; what is overridden is not made."""
    site = incoming.site(settings)
    parts: dict[str, Any] = dict(overrides)

    def make(name: str, made: Callable[[], Any]) -> None:
        if name not in parts:
            parts[name] = made()

    given = parts.get("database")  # what is kept together goes there too
    make("together_database", lambda: given or _together_database(settings))
    make("database", lambda: _database(settings, settings.of(HttpSettings).threads))
    make("key_database", lambda: _database(settings, _LOOK_UPS))
    make("issuers", lambda: issuers_of(settings))
    make("intake", lambda: IntakeSource(settings, site, hospitals=KnownHospitals(parts["database"])))
    make("outbound", lambda: outbound(settings, site))
    make("leaving", Leaving)
    make("check_ready", lambda: _readiness(settings, parts["database"], parts["leaving"]))
    make("state_of_broker", lambda: BrokerState(broker_addresses(settings)))
    make("metrics", lambda: _metrics(settings, parts["database"]))
    make("limits", lambda: _limits(settings, document, parts["intake"]))
    make("answers", LargeAnswers)
    make("webhook_secrets", lambda: webhook_secrets(settings.of(WebhookSettings)))
    make("signer", lambda: signer_of(settings))
    make("passwords", Passwords)
    make("people", lambda: People(parts["key_database"], parts["signer"]))
    make("px", lambda: px_parts(settings, parts["signer"], parts["passwords"]))
    make("serves_docs", lambda: _serves_docs(settings))
    return parts


def _readiness(settings: Settings, database: Database, leaving: Leaving) -> Callable[[], None]:
    readiness = Readiness(database_is_ready(settings, database))

    def check() -> None:
        leaving.check()
        readiness()

    return check


def _serves_docs(settings: Settings) -> bool:
    return settings.of(HttpSettings).serves_docs(in_production=settings.of(ServiceSettings).is_production)


def _version(service: ServiceSettings) -> dict[str, Any]:
    return probes.version(build_number=service.build_number, git_hash=service.git_hash)


def _database(settings: Settings, pool_size: int) -> Database:
    return open_database(settings, pool_size=pool_size, statement_timeout=STATEMENT_TIMEOUT)


def _together_database(settings: Settings) -> Database:
    """One connection, for the one thread; it waits for nobody's key for long, as others wait behind it."""
    return open_database(
        settings, pool_size=1, statement_timeout=STATEMENT_TIMEOUT, lock_timeout=waiting.LOCK_TIMEOUT
    )


def _keep_together(intake: Callable[[], Intake], database: Database) -> KeepTogether:
    def keep(arrivals: Sequence[Arrival]) -> list[Receipt | Exception]:
        patience = Patience(waiting.MOST_LOST)
        taken = list(take_together(arrivals, intake(), database, patience=patience))
        not_tried = _not_tried([each.error for each in taken])
        return [each.receipt or each.error or not_tried for each in taken]

    return keep


def _not_tried(tried: Iterable[Exception | None]) -> StorageUnavailable:
    """Return why an arrival was not even tried: the fault that those beside it met, which the log has."""
    faults = (each.fault for each in tried if isinstance(each, StorageUnavailable) and each.fault)
    return StorageUnavailable("the database did not answer", next(faults, None))


def _metrics(settings: Settings, database: Database) -> Callable[[], bytes] | None:
    """The metrics as text; None where they have a port of their own."""
    in_production = settings.of(ServiceSettings).is_production
    if settings.of(HttpSettings).own_metrics_port(in_production=in_production):
        return None
    return exposition(settings, database).text


def _limits(settings: Settings, document: dict[str, Any], intake: Callable[[], Intake]) -> RateLimiting:
    counted = specification.counted_as_events(document)
    http = settings.of(HttpSettings)
    addressed = specification.counted_by_address(document)
    by_address = ByAddress(addressed, http.auth_requests, http.trusted_proxies)
    return RateLimiting(lambda: intake().site, counted, http.rate_limit_storage, by_address)


def webhook_secrets(settings: WebhookSettings) -> dict[str, tuple[Secret, ...]]:
    """Return the secrets of every source's webhooks. Raises BadSetting for one that cannot be used."""
    secrets = {source: tuple(map(Secret, known)) for source, known in settings.secrets.items()}
    for name, known in secrets.items():
        if not all(secret.is_usable for secret in known):
            raise BadSetting(f"{name.upper()}_WEBHOOK_SECRET or its _PREVIOUS is no base64 after whsec_")
    return secrets

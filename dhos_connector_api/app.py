"""Wires the parts together: the only place that knows which implementation stands behind which name."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import flask
from flask_migrate import Migrate
from sqlalchemy import Connection, create_engine
from starlette.types import ASGIApp

from dhos_connector_api import clock, config, site_source
from dhos_connector_api.api import specification
from dhos_connector_api.api.assembly import build_asgi
from dhos_connector_api.api.rate_limits import RateLimiting
from dhos_connector_api.api.security import issuers_of
from dhos_connector_api.api.services import Services
from dhos_connector_api.auth import jwt
from dhos_connector_api.auth.signatures import Secret
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.in_process import InProcessBus
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.config import Settings
from dhos_connector_api.db import embedded, migrate
from dhos_connector_api.db.engine import STATEMENT_TIMEOUT, Database, DatabaseAddress, engine_options
from dhos_connector_api.db.metadata import db
from dhos_connector_api.deliveries import models as _deliveries
from dhos_connector_api.deliveries import send
from dhos_connector_api.deliveries.deliver import Destination
from dhos_connector_api.deliveries.send import EPR, MIRTH, MLLP, Outbound, Sending
from dhos_connector_api.deliveries.transports.epr import EprTransport
from dhos_connector_api.deliveries.transports.mirth import MirthTransport
from dhos_connector_api.deliveries.transports.mllp import MllpTransport
from dhos_connector_api.deliveries.transports.mllp_line import Receiver, tls_context
from dhos_connector_api.errors import BadSetting, BadSite, NotFound, StorageUnavailable
from dhos_connector_api.events import models as _events
from dhos_connector_api.exposition import Exposition
from dhos_connector_api.hl7v2.charsets import codec_named
from dhos_connector_api.intake.receive_hl7 import Intake, Receipt
from dhos_connector_api.messages import models as _messages
from dhos_connector_api.mllp import listeners, server
from dhos_connector_api.mllp.answering import Desk, Taken
from dhos_connector_api.mllp.server import Server as MllpServer
from dhos_connector_api.outbox import models as _outbox
from dhos_connector_api.site import WEBHOOK_SOURCES, Site
from dhos_connector_api.workers.relay import MakeOutlet

#: Connections for looking API keys up, beside one for each thread of a web process.
KEY_POOL = 2
#: Modules that declare tables: importing them is what puts these into `db.metadata`.
TABLES = (_messages, _outbox, _deliveries, _events)


def database_address(settings: Settings) -> DatabaseAddress:
    """Where the database is: the server that is set, or the embedded one that runs.

    Raises BadSetting when neither is there.
    """
    if settings.database_host is None:
        address = embedded.running(settings.local_state)
        if address is None:
            raise BadSetting("DATABASE_HOST is missing, and no embedded database runs (see run_local.sh)")
        return address
    return DatabaseAddress(
        settings.database_host,
        settings.database_port,
        settings.database_name,
        settings.database_user,
        settings.database_password,
    )


def open_database(
    settings: Settings, *, pool_size: int = 1, statement_timeout: float = 60, lock_timeout: float = 0
) -> Database:
    """The database for a command or a worker. `statement_timeout` is in seconds."""
    options = engine_options(
        pool_size=pool_size, statement_timeout=statement_timeout, lock_timeout=lock_timeout
    )
    return Database(create_engine(database_address(settings).url(), **options))


def create_flask(settings: Settings) -> flask.Flask:
    """The Flask application with its database and migrations, as `flask db` needs it too."""
    application = flask.Flask("dhos_connector_api", static_folder=None)
    application.config["SQLALCHEMY_DATABASE_URI"] = database_address(settings).url()
    application.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(pool_size=settings.web_threads)
    db.init_app(application)
    Migrate(application, db, directory=str(migrate.FOLDER))
    return application


def create_app(settings: Settings) -> ASGIApp:
    """One web process: the specification served, with everything behind it. Raises BadSetting, BadSite."""
    application = create_flask(settings)
    with application.app_context():
        database = Database(db.engine)
    site = site_source.source(settings)
    intake = IntakeSource(settings, site)
    if not settings.dhos_trustomer_api_host:
        intake()  # a file that cannot be used stops the start; the trustomer service may come later
    services = Services(
        settings=settings,
        database=database,
        key_database=open_database(settings, pool_size=KEY_POOL, statement_timeout=STATEMENT_TIMEOUT),
        issuers=issuers_of(settings),
        intake=intake,
        outbound=outbound(settings, site),
        check_ready=lambda: check_ready(database),
        metrics=None
        if settings.metrics_port
        else Exposition(settings, database, config.metrics_folder()).text,
        limits=rate_limits(settings, lambda: intake().site),
        webhook_secrets=webhook_secrets(settings),
    )
    return build_asgi(application, services)


def create_mllp(settings: Settings, *, shared: bool) -> MllpServer:
    """The MLLP server on its listeners, with everything behind it; `shared` with other processes of ours.

    Raises BadSetting, BadSite.
    """
    if settings.mllp_listeners is None:
        raise BadSetting("MLLP_LISTENERS is missing")
    listening = listeners.read_file(settings.mllp_listeners)
    for each in listening:
        if each.application_ack == "delivery" and not settings.epr_mllp_url:
            raise BadSetting(f"EPR_MLLP_URL is missing, and {each.name} delivers acknowledgements there")
    intake = IntakeSource(settings, site_source.source(settings))
    if not settings.dhos_trustomer_api_host:
        intake()
    threads = server.THREADS + server.LARGE_THREADS
    database = open_database(
        settings,
        pool_size=threads,
        statement_timeout=STATEMENT_TIMEOUT,
        lock_timeout=server.LOCK_TIMEOUT,
    )
    return MllpServer(listening, Desk(database, intake, send_later=send_later).answer, shared=shared)


def send_later(connection: Connection, taken: Taken, receipt: Receipt) -> Sending:
    """Queue the application acknowledgement of a message, in the transaction that keeps the message."""
    sending = send.acknowledgement(
        receipt.ack or b"",
        charset=receipt.charset,
        created_by=taken.listener.name,
        correlation_id=taken.correlation_id,
    )
    send.keep(connection, sending)
    return sending


def rate_limits(settings: Settings, site: Callable[[], Site]) -> RateLimiting:
    """What counts the requests of a web process."""
    counted = specification.counted_as_events(specification.load())
    return RateLimiting(site, counted, settings.rate_limit_storage)


def webhook_secrets(settings: Settings) -> dict[str, tuple[Secret, ...]]:
    """The secrets of every source's webhooks. Raises BadSetting for one that cannot be used."""
    secrets = {source: tuple(map(Secret, settings.webhook_secrets(source))) for source in WEBHOOK_SOURCES}
    for source, known in secrets.items():
        if not all(secret.is_usable for secret in known):
            raise BadSetting(f"{source.upper()}_WEBHOOK_SECRET or its _PREVIOUS is no base64 after whsec_")
    return secrets


def outlet(settings: Settings) -> MakeOutlet:
    """Where the relay publishes: RabbitMQ, or without one the consumers of this process."""
    if not settings.uses_rabbitmq:
        return lambda _keep_waiting: InProcessBus()
    address = BrokerAddress(
        host=str(settings.rabbitmq_host),
        port=settings.rabbitmq_port,
        vhost=settings.rabbitmq_vhost,
        username=settings.rabbitmq_username,
        password=settings.rabbitmq_password,
    )
    return lambda keep_waiting: Publisher(address, name="dhos-connector-api relay", keep_waiting=keep_waiting)


def check_ready(database: Database) -> None:
    """Raises StorageUnavailable while the database is away, or not at the newest migration."""
    with database.statements() as connection:
        if not migrate.is_at_head(connection):
            raise StorageUnavailable("the database is not at the newest migration")


def destinations(settings: Settings, site: Callable[[], Site]) -> tuple[Destination, ...]:
    """Where messages are delivered to: what is set up here."""
    found = []
    if settings.epr_service_adapter_url_base:
        issuer = next(each for each in issuers_of(settings) if each.name == "epr_adapter")
        epr = EprTransport(
            url_base=settings.epr_service_adapter_url_base,
            issuer=issuer,
            scope=settings.epr_service_adapter_scope,
            token_life=timedelta(seconds=settings.jwt_expiry_in_seconds),
        )
        found.append(Destination(EPR, epr, lambda: site().deliveries.epr))
    if settings.epr_mllp_url:
        mllp = MllpTransport(MLLP, mllp_receiver(settings, settings.epr_mllp_url))
        found.append(Destination(MLLP, mllp, lambda: site().deliveries.mllp))
    if settings.mirth_host_url_base:
        mirth = MirthTransport(
            settings.mirth_host_url_base, settings.mirth_username or "", settings.mirth_password or ""
        )
        found.append(Destination(MIRTH, mirth, lambda: site().deliveries.mirth))
    return tuple(found)


def mllp_receiver(settings: Settings, url: str) -> Receiver:
    """Where EPR_MLLP_URL points, with TLS where it says so. Raises BadSetting."""
    parts = urlsplit(url)
    context = None
    if parts.scheme == "mllps":
        files = settings.epr_mllp_ca, settings.epr_mllp_certificate, settings.epr_mllp_key
        try:
            context = tls_context(*files)
        except BadSetting as error:
            raise BadSetting(f"EPR_MLLP_CA, EPR_MLLP_CERTIFICATE, EPR_MLLP_KEY: {error.text}") from None
    return Receiver(str(parts.hostname), parts.port or 0, context)


def outbound(settings: Settings, site: Callable[[], Site]) -> Callable[[], Outbound]:
    """What messages to the hospital are sent with now; the site may change."""
    transform = transformer(settings.hl7_transformer_module, "transform_outgoing")
    names = {
        EPR: settings.epr_service_adapter_url_base,
        MLLP: settings.epr_mllp_url,
        MIRTH: settings.mirth_host_url_base,
    }
    known = frozenset(name for name, url in names.items() if url)
    return lambda: Outbound(site(), settings.server_timezone, transform, known)


class IntakeSource:
    """What messages are received with now; made anew only when the site has changed."""

    def __init__(self, settings: Settings, site: Callable[[], Site]) -> None:
        self._settings = settings
        self._site = site
        self._transform = transformer(settings.hl7_transformer_module, "transform_incoming")
        self._made: tuple[Site, Intake] | None = None

    def __call__(self) -> Intake:
        site = self._site()
        made = self._made
        if made is None or made[0] is not site:
            made = self._made = (site, _intake(self._settings, site, self._transform))
        return made[1]


def _intake(settings: Settings, site: Site, transform: Callable[[str], str] | None) -> Intake:
    inbound = site.inbound
    if codec_named(inbound.default_charset) is None:
        raise BadSite("site configuration does not fit: inbound.default_charset")
    return Intake(
        site=site,
        zone=ZoneInfo(inbound.time_zone) if inbound.time_zone else settings.server_timezone,
        duplicate_policy=inbound.duplicate_policy or settings.hl7_duplicate_policy,
        duplicate_window=timedelta(seconds=settings.hl7_duplicate_window),
        transform=transform,
    )


def transformer(module_name: str | None, function_name: str) -> Callable[[str], str] | None:
    """The site's function of that name, None without a module. Raises BadSetting when it has none."""
    if module_name is None:
        return None
    try:
        function: Callable[[str], str] = getattr(import_module(module_name), function_name)
    except (ImportError, AttributeError):
        raise BadSetting(f"HL7_TRANSFORMER_MODULE has no function {function_name}") from None
    return function


def token(
    settings: Settings,
    *,
    issuer: str = "internal",
    scope: str = "write:hl7_message read:hl7_message",
    system_id: str = "command-line",
    seconds: int | None = None,
) -> str:
    """A token made with this environment's keys. Raises NotFound for an issuer that is not set up."""
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

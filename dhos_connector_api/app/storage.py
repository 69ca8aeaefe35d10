"""Which database a process works on, and with how many connections."""

import flask
from flask_migrate import Migrate
from sqlalchemy import create_engine

from dhos_connector_api.app import rooms
from dhos_connector_api.causes import Cause
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db import durability, embedded, faults, migrate
from dhos_connector_api.db.engine import UNHURRIED_TIMEOUT, Database, DatabaseAddress, engine_options
from dhos_connector_api.db.metadata import db
from dhos_connector_api.db.pooler import TransactionTimeouts
from dhos_connector_api.db.session import open_patiently
from dhos_connector_api.db.settings import DatabaseSettings
from dhos_connector_api.errors import BadSetting, StorageUnavailable


def database_address(settings: Settings) -> DatabaseAddress:
    """Return where the database is: the server that is set, or the embedded one that runs.

    Raises BadSetting when neither is there.
    """
    server = settings.of(DatabaseSettings)
    if not server.is_set:
        address = embedded.running(settings.of(ServiceSettings).local_state)
        if address is None:
            raise BadSetting("DATABASE_HOST is missing, and no embedded database runs (see run_local.sh)")
        return address
    url = server.url
    if url is not None:
        first = int(url.port.partition(",")[0])
        ports = url.port if "," in url.port else ""
        return DatabaseAddress(url.host, first, url.name, url.user, url.password, ports, server.tls)
    host = str(server.host)
    return DatabaseAddress(host, server.port, server.name, server.user, server.password, tls=server.tls)


def need_a_session(settings: Settings, who: str) -> None:
    """Raise BadSetting where DATABASE_POOLED says that there are no sessions of our own; `who` needs one."""
    if settings.of(DatabaseSettings).pooled:
        why = "holds a lock for as long as its session lives"
        raise BadSetting(f"DATABASE_POOLED: {who} {why}; lead it to PostgreSQL itself, without the pooler")


def open_database(
    settings: Settings,
    *,
    pool_size: int = 1,
    statement_timeout: float = UNHURRIED_TIMEOUT,
    lock_timeout: float = 0,
) -> Database:
    """Return the database with a pool of that many connections. Timeouts are in seconds."""
    pooled = settings.of(DatabaseSettings).pooled
    options = engine_options(
        pool_size=pool_size, statement_timeout=statement_timeout, lock_timeout=lock_timeout, pooled=pooled
    )
    engine = create_engine(database_address(settings).url(), **options)
    of_pooler = TransactionTimeouts(statement_timeout, lock_timeout) if pooled else None
    return Database(engine, statement_timeout=statement_timeout, of_pooler=of_pooler)


def create_flask(settings: Settings) -> flask.Flask:
    """Return a Flask application with the database and its migrations, for `flask db`."""
    rooms.import_all("models")
    application = flask.Flask("dhos_connector_api", static_folder=None)
    application.config["SQLALCHEMY_DATABASE_URI"] = database_address(settings).url()
    application.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(pool_size=1)
    db.init_app(application)
    with application.app_context():
        open_patiently(db.engine, patience=None)
    Migrate(application, db, directory=str(migrate.FOLDER))
    return application


def check_ready(database: Database, *, in_production: bool) -> None:
    """Raise StorageUnavailable while the database is away, only reads, or is not at the newest migration.

    In PRODUCTION also while it could lose what it has committed.
    """
    with database.statements() as connection:
        if not durability.is_writable(connection):
            raise _unusable(database, "the database only reads", Cause.READ_ONLY)
        if in_production and (unsafe := durability.unsafe_settings(connection)):
            raise _unusable(database, f"PostgreSQL runs with {' and '.join(unsafe)}", Cause.NOT_DURABLE)
        if not migrate.is_at_head(connection):
            raise _unusable(database, "the database is not at the newest migration", Cause.NOT_MIGRATED)


def _unusable(database: Database, text: str, cause: Cause) -> StorageUnavailable:
    """Return why the database cannot be used although it answers; the log says so, too."""
    fault = faults.fault_at(database.engine.url, cause)
    faults.OUTAGE.failed(fault)
    return StorageUnavailable(text, fault)


def check_durable(settings: Settings) -> None:
    """Raise BadSetting where PostgreSQL could lose what it has committed, in PRODUCTION.

    A server that cannot be asked now is asked again by `/ready`.
    """
    if not settings.of(ServiceSettings).is_production:
        return
    database = open_database(settings)
    try:
        with database.statements() as connection:
            unsafe = durability.unsafe_settings(connection)
    except StorageUnavailable:
        return
    finally:
        database.engine.dispose()
    if unsafe:
        raise BadSetting(f"DATABASE_HOST: PostgreSQL loses what was acknowledged, with {', '.join(unsafe)}")

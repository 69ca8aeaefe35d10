"""What a support bundle tells: versions, settings, counts and ages, and nothing of any patient or secret.

Each part is asked for by itself: one that fails says why, and the others are there all the same.
"""

import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from dhos_connector_api import __version__, clock
from dhos_connector_api.app import configuration, doctor
from dhos_connector_api.app.brokers import broker_addresses
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.broker import server as broker_server
from dhos_connector_api.config import environment
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db import looked_at, migrate
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import counts as deliveries
from dhos_connector_api.errors import ConnectorError, StorageBusy, StorageUnavailable
from dhos_connector_api.events import counts as events
from dhos_connector_api.inbox import store as inbox
from dhos_connector_api.log import where
from dhos_connector_api.messages import counts as messages
from dhos_connector_api.outbox import counts as outbox
from dhos_connector_api.retention import store as retention

#: Our processes, by the word that starts them.
_COMMANDS = ("all", "serve", "web", "mllp", "mllp-process", "relay", "deliver", "metrics")


def parts(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Return the name of each part and what it tells; `{"not known": why}` where that cannot be found out."""
    here: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("versions", _versions),
        ("settings", _settings),
        ("machine", lambda: _machine(settings)),
        ("rabbitmq", lambda: _rabbitmq(settings)),
        ("findings", lambda: [asdict(each) for each in doctor.findings(settings)]),
    )
    for name, ask in here:
        yield name, _told(ask)
    stored: tuple[tuple[str, Callable[[Connection], Any]], ...] = (
        ("postgresql", looked_at.server),
        ("migrations", migrate.state),
        ("messages", messages.by_outcome),
        ("outbox", outbox.unpublished),
        ("deliveries", deliveries.by_state),
        ("events", events.by_status),
        ("inbox", inbox.counts),
        ("retention", lambda connection: [dict(each) for each in retention.totals(connection)]),
        ("sizes", looked_at.sizes),
        ("statements", looked_at.statements),
        ("replication", looked_at.replication),
    )
    database = _told(partial(open_database, settings))
    away = database if isinstance(database, dict) else None
    for name, look in stored:
        told = away or _told(partial(_looked, database, look))
        if isinstance(told, _Away):
            away = told
        yield name, told
    if isinstance(database, Database):
        database.engine.dispose()


class _Away(dict[str, Any]):
    """Why nothing of the database is known: it is not asked again, each time for seconds."""


def _told(ask: Callable[[], Any]) -> Any:
    """What was found out, or why not: never by an error's text, which might quote something."""
    try:
        return ask()
    except StorageBusy as error:
        return {"not known": error.full_text}
    except StorageUnavailable as error:
        return _Away({"not known": error.full_text})
    except ConnectorError as error:
        return {"not known": error.full_text}
    except (SQLAlchemyError, OSError, psutil.Error, LookupError, ValueError) as error:
        return {"not known": where(error)}


def _looked(database: Database, look: Callable[[Connection], Any]) -> Any:
    with database.statements() as connection:
        return look(connection)


def _versions() -> dict[str, Any]:
    libraries = {each.name: each.version for each in metadata.distributions()}
    return {
        "connector": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "libraries": dict(sorted(libraries.items())),
        "made_at": clock.now(),
    }


def _settings() -> list[dict[str, Any]]:
    """Every setting: whether it is set, and its value where that is no secret."""
    given = environment.variables()
    return [
        {
            "name": each.name,
            "is_set": bool(given.get(each.name) or (each.secret and given.get(f"{each.name}_FILE"))),
            "value": "(secret)" if each.secret else without_credentials(given.get(each.name) or each.default),
        }
        for each in configuration.describe()
    ]


def without_credentials(value: str | None) -> str | None:
    """Return the value without what stands before an @ of an address in it, or after its question mark."""
    if value is None or "://" not in value:
        return value
    return re.sub(r"\?.*", "?(left out)", re.sub(r"://[^\s]*@", "://(left out)@", value), flags=re.DOTALL)


def _machine(settings: Settings) -> dict[str, Any]:
    folders = {
        "state": settings.of(ServiceSettings).local_state,
        "current": Path(),
        "temporary": Path(tempfile.gettempdir()),
    }
    return {
        "processors": psutil.cpu_count(),
        "load": psutil.getloadavg(),
        "memory": {name: getattr(psutil.virtual_memory(), name) for name in ("total", "available")},
        "disks": {
            name: dict(zip(("total", "used", "free"), shutil.disk_usage(folder), strict=True))
            for name, folder in folders.items()
            if folder.exists()
        },
        "processes": list(_processes()),
    }


def _processes() -> Iterator[dict[str, Any]]:
    """Our processes on this machine that we may look at. Of their arguments only the first is shown."""
    for each in psutil.process_iter():
        try:
            command = _command(each.cmdline())
            if command in _COMMANDS:
                yield {
                    "command": command,
                    "started": each.create_time(),
                    "open_files": each.num_fds(),
                    "threads": each.num_threads(),
                    "memory": each.memory_info().rss,
                }
        except (psutil.Error, IndexError):
            continue  # it has ended, or is another user's


def _command(words: Sequence[str]) -> str:
    """The command of ours in a command line, as `connector relay` or `python -m dhos_connector_api relay`."""
    for before, word in pairwise(words):
        if before == "dhos_connector_api" or Path(before).name == "connector":
            return word
    return ""


def _rabbitmq(settings: Settings) -> dict[str, Any]:
    addresses = broker_addresses(settings)
    if not addresses:
        return {"version": None, "why": "RABBITMQ_HOST is not set, or it is disabled"}
    return {"version": broker_server.version(addresses)}

"""The commands for API keys: keys create, list, rotate, revoke."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click

from dhos_connector_api import clock
from dhos_connector_api.access import store
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.auth import api_keys
from dhos_connector_api.cli.options import BY, Duration, with_settings
from dhos_connector_api.config.load import Settings

_SOURCE = r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?"


@click.group()
def keys() -> None:
    """API keys for systems that send events and have no token."""


@keys.command("create")
@click.option("--source", required=True, metavar="NAME", help="The system that will hold it, such as his.")
@with_settings
def create(settings: Settings, source: str) -> None:
    """Make a key and print it: this once, it is kept nowhere."""
    if not re.fullmatch(_SOURCE, source):
        raise click.UsageError("a source has 1 to 64 letters, digits, spaces, and . _ - within")
    made, now = _made(), clock.now()
    with open_database(settings).statements() as connection:
        row = store.add(connection, clock.new_uuid(now), made, source=source, at=now, by=BY)
    _show_once(made, row)


@keys.command("list")
@click.option("--source", help="Only those of this system.")
@with_settings
def list_keys(settings: Settings, source: str | None) -> None:
    """List keys, newest first; of a key itself only its first characters are known."""
    with open_database(settings).statements() as connection:
        rows = store.listed(connection, source)
    for row in rows:
        click.echo(_line(row, clock.now()))


@keys.command("revoke")
@click.argument("key_id", metavar="ID", type=click.UUID)
@with_settings
def revoke(settings: Settings, key_id: UUID) -> None:
    """End a key now."""
    with open_database(settings).statements() as connection:
        row = store.revoke(connection, key_id, at=clock.now(), by=BY)
    click.echo(_line(row, clock.now()))


@keys.command("rotate")
@click.argument("key_id", metavar="ID", type=click.UUID)
@click.option("--overlap", type=Duration(), default="7d", show_default=True, help="How long both are taken.")
@with_settings
def rotate(settings: Settings, key_id: UUID, overlap: timedelta) -> None:
    """Make a new key for the holder of this one, and print it; the old one ends after the overlap."""
    made, now = _made(), clock.now()
    with open_database(settings).transaction() as connection:
        row = store.rotate(connection, key_id, clock.new_uuid(now), made, overlap=overlap, at=now, by=BY)
    _show_once(made, row)
    click.echo(f"the old key ends {_time(now + overlap)}", err=True)


def _made() -> api_keys.MadeKey:
    return api_keys.make(clock.random_bytes(api_keys.KEY_BYTES))


def _show_once(made: api_keys.MadeKey, row: Mapping[Any, Any]) -> None:
    """The key alone goes to standard output, so that a script can take it."""
    click.echo(f"key {row['id']} of {row['source_system']}, shown this once:", err=True)
    click.echo(made.text)


def _line(row: Mapping[Any, Any], now: datetime) -> str:
    used = f"last used {_time(row['last_used_at'])}" if row["last_used_at"] else "never used"
    made = f"made {_time(row['created'])}"
    return f"{row['id']}  {row['source_system']:<8}  {row['hint']}...  {made}  {used}  {_state(row, now)}"


def _state(row: Mapping[Any, Any], now: datetime) -> str:
    if row["revoked_at"]:
        return f"revoked {_time(row['revoked_at'])}"
    if row["expires_at"]:
        return f"{'ended' if row['expires_at'] <= now else 'ends'} {_time(row['expires_at'])}"
    return "valid"


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")

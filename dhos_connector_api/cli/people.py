"""The commands for people: people create-admin, list, set-password, unlock."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import click

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.px.people import administration
from dhos_connector_api.px.people.passwords import Passwords

_PASSWORD_STDIN = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; else one is made."
)


@click.group()
def people() -> None:
    """People who log in with a password: the first PX Admin, and what only who runs this may do."""


@people.command("create-admin")
@click.option("--username", default="admin", show_default=True)
@click.option("--email")
@_PASSWORD_STDIN
@with_settings
def create_admin(settings: Settings, username: str, email: str | None, password_stdin: bool) -> None:
    """Make a PX Admin, and print his password where it was made here: this once, it is kept nowhere."""
    password = _password(username, password_stdin)
    hash_ = Passwords().hash(password)
    with open_database(settings).transaction() as connection:
        administration.create_admin(connection, username, hash_, at=clock.now(), email=email)
    _show_once(username, None if password_stdin else password)


@people.command("list")
@with_settings
def list_people(settings: Settings) -> None:
    """List users by name, with their roles."""
    with open_database(settings).statements() as connection:
        for row, roles in administration.everybody(connection):
            click.echo(_line(row, roles))


@people.command("set-password")
@click.argument("username")
@_PASSWORD_STDIN
@with_settings
def set_password(settings: Settings, username: str, password_stdin: bool) -> None:
    """Give a user another password; every token of his is void."""
    password = _password(username, password_stdin)
    hash_ = Passwords().hash(password)
    with open_database(settings).transaction() as connection:
        administration.set_password(connection, username, hash_, clock.now())
    _show_once(username, None if password_stdin else password)


@people.command("unlock")
@click.argument("username")
@with_settings
def unlock(settings: Settings, username: str) -> None:
    """End the wait of a user after too many wrong passwords."""
    with open_database(settings).transaction() as connection:
        administration.unlock(connection, username)
    click.echo(f"{username} need not wait", err=True)


def _password(username: str, from_input: bool) -> str:
    if not from_input:
        return administration.random_password()
    password = sys.stdin.readline().rstrip("\r\n")
    administration.check(password, username)
    return password


def _show_once(username: str, password: str | None) -> None:
    """The password alone goes to standard output, so that a script can take it."""
    if password is not None:
        click.echo(f"password of {username}, shown this once:", err=True)
        click.echo(password)
    else:
        click.echo(f"{username} has this password now", err=True)


def _line(row: Mapping[Any, Any], roles: Sequence[Mapping[Any, Any]]) -> str:
    last = row["last_login_at"]
    seen = f"last seen {last.astimezone(UTC):%Y-%m-%dT%H:%MZ}" if last else "never seen"
    held = ", ".join(each["name"] for each in roles) or "no role"
    return (
        f"{row['id']}  {row['username']:<20}  {'active' if row['is_active'] else 'inactive'}  {seen}  {held}"
    )

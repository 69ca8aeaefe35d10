"""PostgreSQL for a run: a database of its own.

On the server DATABASE_HOST names (DATABASE_PORT, DATABASE_USER and DATABASE_PASSWORD as in the
service), or on an embedded server started for the run.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.db.engine import DatabaseAddress


def connect(address: DatabaseAddress) -> "psycopg.Connection[tuple[object, ...]]":
    """A connection in autocommit."""
    return psycopg.connect(
        host=address.host, port=address.port, dbname=address.name, user=address.user,
        password=address.password, autocommit=True,
    )  # fmt: skip


def is_here(host: str) -> bool:
    """Whether that host is this machine."""
    return host.startswith("/") or host in ("127.0.0.1", "::1", "localhost")


@contextmanager
def _server(folder: Path) -> Iterator[DatabaseAddress]:
    if host := os.environ.get("DATABASE_HOST"):
        yield DatabaseAddress(
            host=host,
            port=int(os.environ.get("DATABASE_PORT", "5432")),
            name="postgres",
            user=os.environ.get("DATABASE_USER", "postgres"),
            password=os.environ.get("DATABASE_PASSWORD"),
        )
        return
    embedded = EmbeddedPostgres(folder / "postgres")
    try:
        yield embedded.start()
    finally:
        embedded.stop()
        shutil.rmtree(folder / "postgres", ignore_errors=True)


@contextmanager
def own_database(folder: Path, *, keep: bool) -> Iterator[DatabaseAddress]:
    """A new database, dropped at the end unless it is to be kept; an embedded server lives in `folder`."""
    with _server(folder) as server, connect(server) as administration:
        name = f"connector_bench_{secrets.token_hex(4)}"
        administration.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield replace(server, name=name)
        finally:
            if keep:
                print(f"kept: database {name}")
            else:
                administration.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

"""How a web process listens and is served: its socket, and uvicorn's settings."""

import asyncio
import math
import socket
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from dhos_connector_api import open_files
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.http.connection import BoundedConnection
from dhos_connector_api.http.leaving import Leaving, LeavingServer
from dhos_connector_api.http.open_connections import ConnectionLimits, OpenConnections
from dhos_connector_api.http.settings import HttpSettings

#: Connections the kernel keeps for a web process that is busy.
BACKLOG = 2048
#: Seconds a web process has to answer what it is working on when it is told to stop.
GRACE = 20


def serve(app: ASGIApp, settings: HttpSettings, leaving: Leaving, delay: float) -> None:
    """Serve the application until SIGTERM and `delay` seconds more, or SIGINT, on a socket of its own.

    The kernel spreads connections over the sockets of several processes evenly. Raises BadSetting.
    """
    listening = listener(settings, shared=True)
    open_files.raise_limit()
    config = configuration(app, limits_of(settings), leaving)
    LeavingServer(config, leaving, delay).run(sockets=[listening])


def limits_of(settings: HttpSettings) -> ConnectionLimits:
    """Return the limits of this process's connections; there are not more of them than it may open files."""
    return ConnectionLimits(
        most=min(settings.connections, open_files.for_connections()),
        most_of_peer=settings.connections_per_peer,
        headers=settings.header_timeout,
        body=settings.body_timeout,
        idle=settings.keep_alive,
    )


def configuration(app: ASGIApp, limits: ConnectionLimits, leaving: Leaving) -> uvicorn.Config:
    """Return how uvicorn serves an application, with connections within those limits."""
    return uvicorn.Config(
        app,
        http=cast(type[asyncio.Protocol], partial(BoundedConnection, OpenConnections(limits), leaving)),
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=math.ceil(limits.idle),
        timeout_graceful_shutdown=GRACE,
    )


def listener(settings: HttpSettings, *, shared: bool) -> socket.socket:
    """Return a socket bound to the server's address; `shared` with others that are too.

    Raises BadSetting.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise BadSetting(f"SERVER_HOST and SERVER_PORT cannot be listened on: {error.strerror}") from None
    return bound


def check_port_is_free(settings: HttpSettings) -> None:
    """Raise BadSetting where another service listens: the kernel would share its senders with us."""
    listener(settings, shared=False).close()

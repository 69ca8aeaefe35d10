"""How a web process listens and is served: its socket, and uvicorn's settings."""

import socket

import uvicorn
from starlette.types import ASGIApp

from dhos_connector_api.errors import BadSetting
from dhos_connector_api.http.settings import HttpSettings

#: Connections the kernel keeps for a web process that is busy.
BACKLOG = 2048
#: Seconds a web process has to answer what it is working on when it is told to stop.
GRACE = 20


def serve(app: ASGIApp, settings: HttpSettings) -> None:
    """Serve the application until SIGTERM or SIGINT, on a socket of this process's own.

    The kernel spreads connections over these sockets evenly. Raises BadSetting.
    """
    listening = listener(settings, shared=True)
    configuration = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE,
    )
    uvicorn.Server(configuration).run(sockets=[listening])


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

"""/running and /version, answered in ASGI: no thread, no database, no Flask between them and the probe."""

import json
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from dhos_connector_api import __version__
from dhos_connector_api.api.answers import JSON, send_answer
from dhos_connector_api.config import Settings


def running(_settings: Settings) -> dict[str, Any]:
    """What `/running` answers for as long as the process can answer at all."""
    return {"running": True}


def version(settings: Settings) -> dict[str, Any]:
    """What `/version` answers: build number, git hash and version."""
    return {"circle": settings.build_number, "hash": settings.git_hash, "version": __version__}


class Probes:
    """ASGI: answers the two probes and passes on everything else."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._bodies = {
            "/running": json.dumps(running(settings)).encode(),
            "/version": json.dumps(version(settings)).encode(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            body = self._bodies.get(scope["path"])
            if body is not None:
                await send_answer(send, 200, body, JSON)
                return
        await self._app(scope, receive, send)

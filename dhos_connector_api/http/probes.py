"""/running and /version, answered in ASGI: no thread, no database, no Flask between them and the probe."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from dhos_connector_api import __version__
from dhos_connector_api.http.answers import JSON, send_answer


def running() -> dict[str, Any]:
    """Return what `/running` answers for as long as the process can answer at all."""
    return {"running": True}


def version(*, build_number: str, git_hash: str) -> dict[str, Any]:
    """Return what `/version` answers: build number, git hash and version."""
    return {"circle": build_number, "hash": git_hash, "version": __version__}


class Probes:
    """ASGI: answers the probes, by path and as JSON, and passes on everything else."""

    def __init__(self, app: ASGIApp, answers: Mapping[str, Mapping[str, Any]]) -> None:
        self._app = app
        self._bodies = {path: json.dumps(answer).encode() for path, answer in answers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            body = self._bodies.get(scope["path"])
            if body is not None:
                await send_answer(send, 200, body, JSON)
                return
        await self._app(scope, receive, send)

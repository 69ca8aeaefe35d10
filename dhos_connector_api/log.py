"""Logging: one line an event, in colour, plain or JSON, with the request's id in every line.

Nothing about a patient goes into a log: no body, name, identifier, token, nor the text of an
exception that may quote one. An exception is logged by its type and where it was raised.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

#: The id of the request, message or delivery at hand; `-` outside of any.
correlation_id: ContextVar[str] = ContextVar("correlation_id", default="-")

_LEVELS = {"ERROR": logging.ERROR, "WARN": logging.WARNING, "INFO": logging.INFO, "DEBUG": logging.DEBUG}
_COLOURS = {"ERROR": "\033[31m", "WARNING": "\033[33m", "INFO": "\033[32m", "DEBUG": "\033[36m"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
#: Loggers of libraries that quote what they handle: URLs, bodies, SQL parameters, frames.
_TALKATIVE = (
    *("alembic", "asyncio", "connexion", "flask-limiter", "httpx", "pika", "sqlalchemy", "urllib3"),
    *("uvicorn", "zeep"),
)


def set_up(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all logging to `stream` (standard error) at `level`, looking like `style`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter() if style == "json" else _LineFormatter(colour=style == "colour"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    # No line shows them, and every record would look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def where(error: BaseException) -> str:
    """Type and place of an exception, without its text: `KeyError at extract.py:41`."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}"


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


#: `json.dumps` with `default` would make a new encoder for every line.
_JSON = json.JSONEncoder(default=str)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": correlation_id.get(),
            **_extras(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = where(record.exc_info[1])
        return _JSON.encode(line)


class _LineFormatter(logging.Formatter):
    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"{_COLOURS.get(record.levelname, '')}{level}\033[0m"
        extras = "".join(
            f" {name}={json.dumps(value, default=str)}" for name, value in _extras(record).items()
        )
        if record.exc_info and record.exc_info[1] is not None:
            extras += f" error={where(record.exc_info[1])}"
        text = record.getMessage().replace("\n", " ").replace("\r", " ")
        return f"{time} {level} {record.name.rpartition('.')[2]}: {text} [{correlation_id.get()}]{extras}"

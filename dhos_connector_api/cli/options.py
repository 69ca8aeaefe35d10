"""What commands share: settings, read when a command runs so that --help needs none; durations; pages."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

import click

from dhos_connector_api import log
from dhos_connector_api.app import configuration
from dhos_connector_api.config import environment
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.setting import Group
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.config.values import seconds
from dhos_connector_api.db.settings import DatabaseSettings

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
#: Who does what a command does, as it is kept.
BY = "command line"
#: Rows of a list in memory at a time.
_PAGE = 500


def with_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """The command without its first argument: the settings, with logging set up by them.

    It raises BadSetting where they cannot be used.
    """
    return _with_settings(command)


def with_database_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """The same for a command that needs the database and nothing else of the Connector."""
    return _with_settings(command, DatabaseSettings)


def _with_settings(command: Callable[Concatenate[Settings, P], R], *only: type[Group]) -> Callable[P, R]:
    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        settings = configuration.from_environment(*only)
        service = settings.of(ServiceSettings)
        log.set_up(service.log_level, service.log_format)
        if environment.metrics_folder() is None:  # who watches over us has said it already
            for remark in settings.remarks:
                _log.warning(remark)
        return command(settings, *arguments, **options)

    return run


class _Page(Protocol):
    """A page of a list, and the cursor to the next one."""

    @property
    def rows(self) -> Sequence[Any]: ...

    @property
    def next_before(self) -> UUID | None: ...


def rows_of_pages(page: Callable[[int, UUID | None], _Page], limit: int) -> Iterator[Any]:
    """Yield up to `limit` rows; `page` gets how many are wanted and the cursor, and may give fewer."""
    before = None
    while limit > 0:
        found = page(min(limit, _PAGE), before)
        yield from found.rows
        limit, before = limit - len(found.rows), found.next_before
        if before is None:
            return


class Duration(click.ParamType[timedelta]):
    """An option such as 30m, 12h or 7d, as a timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return timedelta(seconds=seconds(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)

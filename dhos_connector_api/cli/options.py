"""Options shared by commands: settings, read when a command runs so that --help needs none; durations."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from dhos_connector_api import log
from dhos_connector_api.app import configuration
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.config.values import seconds

P = ParamSpec("P")
R = TypeVar("R")
#: Who does what a command does, as it is kept.
BY = "command line"


def with_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """The command without its first argument: the settings, with logging set up by them.

    It raises BadSetting where they cannot be used.
    """

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        settings = configuration.from_environment()
        service = settings.of(ServiceSettings)
        log.set_up(service.log_level, service.log_format)
        return command(settings, *arguments, **options)

    return run


class Duration(click.ParamType[timedelta]):
    """An option such as 30m, 12h or 7d, as a timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return timedelta(seconds=seconds(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)

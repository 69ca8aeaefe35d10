"""Gives a command the settings of its environment: read when it runs, so that --help needs none."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from dhos_connector_api import config, log
from dhos_connector_api.config import Settings

P = ParamSpec("P")
R = TypeVar("R")


def with_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """The command without its first argument: the settings, with logging set up by them.

    It raises BadSetting where they cannot be used.
    """

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        settings = config.from_environment()
        log.set_up(settings.log_level, settings.log_format)
        return command(settings, *arguments, **options)

    return run

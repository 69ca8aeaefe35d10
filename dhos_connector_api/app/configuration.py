"""The settings of every room, read together."""

from collections.abc import Iterator, Mapping

from dhos_connector_api.app import rooms
from dhos_connector_api.config import environment, load
from dhos_connector_api.config.load import Settings, SettingText
from dhos_connector_api.config.setting import Group
from dhos_connector_api.config.settings import ServiceSettings


def groups() -> list[type[Group]]:
    """Return the groups of settings that the rooms declare: the service's first, then by room."""
    found = [
        each
        for module in rooms.import_all("settings")
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Group) and each.__module__ == module.__name__
    ]
    return sorted(found, key=lambda group: group is not ServiceSettings)


def read(environ: Mapping[str, str], *only: type[Group]) -> Settings:
    """Return the settings that stand in `environ`; those of the groups `only` where some are named.

    Raises BadSetting.
    """
    found = groups()
    return load.load(environ, only or found, found)


def from_environment(*only: type[Group]) -> Settings:
    """Return the settings of this process, as `read` does. Raises BadSetting."""
    return read(environment.variables(), *only)


def describe() -> Iterator[SettingText]:
    """Every setting of every room, for the README's table and its test."""
    return load.describe(groups())

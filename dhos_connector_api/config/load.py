"""The settings: read once, typed, in the groups that the rooms declare.

A missing or bad setting stops the start with one line that names it (`errors.BadSetting`). In
PRODUCTION nothing secret has a default. The README's table is generated from `describe()`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TypeVar, cast

from dhos_connector_api.config.setting import REQUIRED, Given, Group, read, settings_of
from dhos_connector_api.config.settings import ServiceSettings

G = TypeVar("G", bound=Group)


class Settings:
    """Everything that can be set from outside, by group. Durations are in seconds.

    settings.of(ServiceSettings).log_level
    """

    __slots__ = ("_groups",)

    def __init__(self, groups: Iterable[Group]) -> None:
        self._groups: dict[type[Group], Group] = {type(each): each for each in groups}

    def of(self, group: type[G]) -> G:
        """Return that group's values."""
        return cast(G, self._groups[group])


def load(environ: Mapping[str, str], groups: Iterable[type[Group]]) -> Settings:
    """Read the settings of these groups, and of the service, from `environ`.

    An empty value counts as unset. Raises BadSetting, in one line that names the setting and never
    shows its value.
    """
    service = _read(ServiceSettings, environ)
    others = [_read(group, environ) for group in groups if group is not ServiceSettings]
    given = Given(environ, service.is_production)
    for each in (service, *others):
        each.check(given)
    return Settings((service, *others))


def _read(group: type[G], environ: Mapping[str, str]) -> G:
    return group(**{each.name: read(each, environ) for each in fields(group)})


@dataclass(frozen=True, slots=True)
class SettingText:
    """One line of the configuration table. `default` is None where the setting has none."""

    group: str
    name: str
    text: str
    default: str | None
    required: bool
    secret: bool


def describe(groups: Iterable[type[Group]]) -> Iterator[SettingText]:
    """Every setting of these groups in their order, for the README's table and its test."""
    for group in groups:
        title = (group.__doc__ or "").partition("\n")[0].rstrip(".")
        for each in (one for field in fields(group) for one in settings_of(field)):
            none = each.default is REQUIRED or each.default is None
            yield SettingText(
                group=title,
                name=each.name,
                text=each.text,
                default=None if none else str(each.default),
                required=each.default is REQUIRED,
                secret=each.secret,
            )

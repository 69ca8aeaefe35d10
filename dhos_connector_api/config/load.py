"""The settings: read once, typed, in the groups that the rooms declare.

Missing and bad settings stop the start with one line that names them all (`errors.BadSetting`). In
PRODUCTION nothing secret has a default. The README's table is generated from `describe()`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TypeVar, cast

from dhos_connector_api.config.given import gather
from dhos_connector_api.config.setting import REQUIRED, Given, Group, Setting, read, settings_of
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.errors import BadSetting

G = TypeVar("G", bound=Group)


class Settings:
    """Everything that can be set from outside, by group. Durations are in seconds.

    settings.of(ServiceSettings).log_level
    """

    __slots__ = ("_groups", "remarks")

    def __init__(self, groups: Iterable[Group], remarks: Iterable[str] = ()) -> None:
        self._groups: dict[type[Group], Group] = {type(each): each for each in groups}
        #: What the log should say of the environment: variables that are ignored, or misspelt.
        self.remarks = tuple(remarks)

    def of(self, group: type[G]) -> G:
        """Return that group's values."""
        return cast(G, self._groups[group])


def load(
    environ: Mapping[str, str], groups: Iterable[type[Group]], known: Iterable[type[Group]] = ()
) -> Settings:
    """Read the settings of these groups, and of the service, from `environ`.

    An empty value counts as unset. `known` are further groups, whose settings are not read here but are no
    misspelt ones. Raises BadSetting, in one line that names every setting that is wrong and shows no value.
    """
    wanted: list[type[Group]] = list(dict.fromkeys([ServiceSettings, *groups]))
    settings = list(_settings(wanted))
    found = gather(environ, settings, _names([*settings, *_settings(known)]))
    problems = found.problems
    read_ = [_read(group, found.values, problems) for group in wanted]
    service = cast(ServiceSettings, read_[0])
    given = Given(found.values, service.is_production, problems)
    for each in settings:
        given.long_enough(each)
    for group in read_:
        try:
            group.check(given)
        except BadSetting as error:
            problems.append(error.text)
    if problems:
        # What is missing may be there under a name that is nearly right.
        raise BadSetting("; ".join(dict.fromkeys([*problems, *found.remarks])))
    return Settings(read_, found.remarks)


def _settings(groups: Iterable[type[Group]]) -> Iterator[Setting]:
    for group in groups:
        for each in fields(group):
            yield from settings_of(each)


def _names(settings: Iterable[Setting]) -> Iterator[str]:
    for each in settings:
        yield each.name
        if each.secret:
            yield each.file_name


def _read(group: type[G], values: Mapping[str, str], problems: list[str]) -> G:
    return group(**{each.name: read(each, values, problems) for each in fields(group)})


@dataclass(frozen=True, slots=True)
class SettingText:
    """One line of the configuration table. `default` is None where the setting has none."""

    group: str
    name: str
    text: str
    default: str | None
    required: bool
    secret: bool
    least: int


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
                least=each.least,
            )

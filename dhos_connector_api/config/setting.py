"""How a room declares its settings, in its `settings.py`: a group is a dataclass with a setting a field.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class OutboxSettings(Group):
        \"\"\"The outbox.\"\"\"

        most: int = setting("OUTBOX_MOST", integer(1, 10), "How many there may be", default=5)

`config.load` reads it from the environment, and `settings.of(OutboxSettings).most` is its value.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field
from typing import Any

from dhos_connector_api.errors import BadSetting

#: The default of a setting that has to be set.
REQUIRED: Any = object()
_SETTINGS, _COMBINE = "settings", "combine"


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: how its text is read, and what it is for.

    `parse` raises ValueError, with a text that can follow the name and does not quote the value. A secret
    may stand in a file as well, and have to have at least so many bytes in PRODUCTION.
    """

    name: str
    parse: Callable[[str], Any]
    text: str
    default: Any = None
    secret: bool = False
    least: int = 0

    @property
    def file_name(self) -> str:
        """Return the variable that names the file in which a secret stands."""
        return f"{self.name}_FILE"

    def read(self, environ: Mapping[str, str]) -> Any:
        """Return its value; an empty text counts as unset. Raises BadSetting."""
        raw = environ.get(self.name, "")
        if raw:
            try:
                return self.parse(raw)
            except ValueError as error:
                raise BadSetting(f"{self.name} {error}") from None
        if self.default is REQUIRED:
            raise BadSetting(f"{self.name} is missing")
        return self.default


def setting(
    name: str, parse: Callable[[str], Any], text: str, *, default: Any = REQUIRED, secret: bool = False
) -> Any:
    """Return the field of a group that holds this setting."""
    return together(Setting(name, parse, text, default, secret), combine=lambda value: value)


def together(*settings: Setting, combine: Callable[..., Any]) -> Any:
    """Return the field of a group that is made of several settings: `combine` gets their values."""
    return field(metadata={_SETTINGS: settings, _COMBINE: combine})


def settings_of(each: Field[Any]) -> tuple[Setting, ...]:
    """Return the settings that a field of a group is made of."""
    found: tuple[Setting, ...] = each.metadata[_SETTINGS]
    return found


def read(each: Field[Any], environ: Mapping[str, str], problems: list[str]) -> Any:
    """Return the value of a field of a group; None, and why among the `problems`, where it has none."""
    values, before = [], len(problems)
    for one in settings_of(each):
        try:
            values.append(one.read(environ))
        except BadSetting as error:
            problems.append(error.text)
    if len(problems) > before:
        return None
    try:
        return each.metadata[_COMBINE](*values)
    except BadSetting as error:
        problems.append(error.text)
        return None


def newest_first(current: str | None, previous: str | None) -> tuple[str, ...]:
    """Return a secret and the one before it, which is still taken while they rotate."""
    return tuple(secret for secret in (current, previous) if secret)


@dataclass(frozen=True, slots=True)
class Given:
    """The environment as it was given, for what several settings must fulfil together.

    What is wrong is added to the `problems`, which name settings and never show a value.
    """

    environ: Mapping[str, str]
    in_production: bool
    problems: list[str] = field(default_factory=list)

    def need(self, *pairs: tuple[str, str]) -> None:
        """Note a problem where the first of a pair is set without the second."""
        for name, needed in pairs:
            if self.environ.get(name) and not self.environ.get(needed):
                self.problems.append(f"{needed} is missing, and {name} needs it")

    def differ(self, names: Iterable[str]) -> None:
        """Note a problem where two of them have the same value."""
        names = tuple(names)
        values = [self.environ[name] for name in names if self.environ.get(name)]
        if len(set(values)) != len(values):
            self.problems.append(f"{', '.join(names)}: two of them are the same")

    def exclude(self, name: str, *others: str) -> None:
        """Note a problem where one of the others is set beside the first, which says the same."""
        if both := [other for other in others if self.environ.get(name) and self.environ.get(other)]:
            self.problems.append(f"{name} and {', '.join(both)} are both set: use one")

    def need_in_production(self, name: str, why: str = "") -> None:
        """Note a problem where PRODUCTION would have to do without it."""
        if self.in_production and not self.environ.get(name):
            self.problems.append(f"{name} is missing{why}")

    def long_enough(self, setting: Setting) -> None:
        """Note a problem where a secret of PRODUCTION is too short."""
        length = len(self.environ.get(setting.name, "").encode())
        if self.in_production and 0 < length < setting.least:
            self.problems.append(f"{setting.name} is too short: it needs {setting.least} bytes at least")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Settings that belong together; its first line heads them in the README."""

    def check(self, given: Given) -> None:
        """Note or raise what cannot be meant together, or what PRODUCTION does not allow."""

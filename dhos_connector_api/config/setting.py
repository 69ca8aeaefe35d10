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

    `parse` raises ValueError, with a text that can follow the name and does not quote the value.
    """

    name: str
    parse: Callable[[str], Any]
    text: str
    default: Any = None
    secret: bool = False

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


def read(each: Field[Any], environ: Mapping[str, str]) -> Any:
    """Return the value of a field of a group. Raises BadSetting."""
    return each.metadata[_COMBINE](*(one.read(environ) for one in settings_of(each)))


def newest_first(current: str | None, previous: str | None) -> tuple[str, ...]:
    """Return a secret and the one before it, which is still taken while they rotate."""
    return tuple(secret for secret in (current, previous) if secret)


@dataclass(frozen=True, slots=True)
class Given:
    """The environment as it was given, for what several settings must fulfil together.

    Errors name settings and never show a value.
    """

    environ: Mapping[str, str]
    in_production: bool

    def need(self, *pairs: tuple[str, str]) -> None:
        """Raise BadSetting where the first of a pair is set without the second."""
        for name, needed in pairs:
            if self.environ.get(name) and not self.environ.get(needed):
                raise BadSetting(f"{needed} is missing, and {name} needs it")

    def differ(self, names: Iterable[str]) -> None:
        """Raise BadSetting where two of them have the same value."""
        names = tuple(names)
        values = [self.environ[name] for name in names if self.environ.get(name)]
        if len(set(values)) != len(values):
            raise BadSetting(f"{', '.join(names)}: two of them are the same")

    def need_in_production(self, name: str, why: str = "") -> None:
        """Raise BadSetting where PRODUCTION would have to do without it."""
        if self.in_production and not self.environ.get(name):
            raise BadSetting(f"{name} is missing{why}")

    def long_enough_in_production(self, names: Iterable[str], *, best: int, least: int) -> None:
        """Raise BadSetting where a secret of PRODUCTION has fewer than `least` bytes."""
        for name in names if self.in_production else ():
            if self.environ.get(name) and len(self.environ[name].encode()) < least:
                raise BadSetting(f"{name} is too short: use {best} bytes, at least {least}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Settings that belong together; its first line heads them in the README."""

    def check(self, given: Given) -> None:
        """Raise BadSetting for a combination that cannot be meant, or that PRODUCTION does not allow."""

"""Settings of the database: where it is, and how long what is in it is kept."""

from dataclasses import dataclass

from dhos_connector_api.config.setting import Given, Group, setting
from dhos_connector_api.config.values import integer, seconds

#: The least time for which an envelope's id is known after its effect (`RetentionSettings.applied`).
_APPLIED_AT_LEAST = 14 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings(Group):
    """The database."""

    host: str | None = setting(
        "DATABASE_HOST", str,
        "PostgreSQL server; unset: the embedded one (not in PRODUCTION)", default=None,
    )  # fmt: skip
    port: int = setting("DATABASE_PORT", integer(1, 65535), "Its port", default=5432)
    name: str = setting("DATABASE_NAME", str, "Its database", default="dhos-connector-api")
    user: str = setting("DATABASE_USER", str, "Its user", default="dhos-connector-api")
    password: str | None = setting(
        "DATABASE_PASSWORD", str, "That user's password", default=None, secret=True
    )

    def check(self, given: Given) -> None:
        given.need_in_production("DATABASE_HOST", " (only DEVELOPMENT has an embedded database)")
        given.need_in_production("DATABASE_PASSWORD")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings(Group):
    """How long rows are kept.

    They stand together here: an id has to be known for longer than its envelope can be published again.
    """

    published: int = setting(
        "OUTBOX_RETENTION", seconds, "How long published envelopes are kept", default=7 * 86400
    )

    @property
    def applied(self) -> int:
        """Seconds for which consumers know what they have applied."""
        return max(2 * self.published, _APPLIED_AT_LEAST)

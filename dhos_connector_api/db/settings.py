"""Settings of the database: where it is, and how long what is in it is kept."""

from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api.config.setting import Given, Group, setting
from dhos_connector_api.config.values import boolean, choice, integer, seconds
from dhos_connector_api.db.url import SSL_MODES, DatabaseUrl, database_url

#: The least time for which an envelope's id is known after its effect (`RetentionSettings.applied`).
_APPLIED_AT_LEAST = 14 * 86400


#: What an address says as well.
_IN_URL = ("HOST", "PORT", "NAME", "USER", "PASSWORD", "SSLMODE", "SSLROOTCERT", "SSLCERT", "SSLKEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings(Group):
    """The database."""

    url: DatabaseUrl | None = setting(
        "DATABASE_URL", database_url,
        "All of it in one: `postgresql://user:password@host1,host2:5433/name?sslmode=verify-full`",
        default=None, secret=True,
    )  # fmt: skip
    host: str | None = setting(
        "DATABASE_HOST", str,
        "PostgreSQL server, or several with commas between, of which the one that writes is used; neither"
        " this nor DATABASE_URL: the embedded one (not in PRODUCTION)",
        default=None,
    )  # fmt: skip
    port: int = setting("DATABASE_PORT", integer(1, 65535), "Its port", default=5432)
    name: str = setting("DATABASE_NAME", str, "Its database", default="dhos-connector-api")
    user: str = setting("DATABASE_USER", str, "Its user", default="dhos-connector-api")
    password: str | None = setting(
        "DATABASE_PASSWORD", str, "That user's password", default=None, secret=True
    )
    sslmode: str | None = setting(
        "DATABASE_SSLMODE", choice(*SSL_MODES),
        "How TLS is spoken with it, in libpq's words; `verify-full` looks at its certificate and name",
        default=None,
    )  # fmt: skip
    sslrootcert: Path | None = setting(
        "DATABASE_SSLROOTCERT", Path, "File of the authorities its certificate may come from", default=None
    )
    sslcert: Path | None = setting(
        "DATABASE_SSLCERT", Path, "File with our certificate, where it asks for one", default=None
    )
    sslkey: Path | None = setting("DATABASE_SSLKEY", Path, "File with that certificate's key", default=None)
    pooled: bool = setting(
        "DATABASE_POOLED", boolean,
        "It is a pooler that lends a session for each transaction (PgBouncer): for web, MLLP and deliveries",
        default=False,
    )  # fmt: skip

    @property
    def is_set(self) -> bool:
        return self.host is not None or self.url is not None

    @property
    def tls(self) -> tuple[tuple[str, str], ...]:
        """Return what libpq is told of TLS, by its names."""
        if self.url is not None:
            return self.url.tls
        given = (
            ("sslmode", self.sslmode),
            ("sslrootcert", self.sslrootcert),
            ("sslcert", self.sslcert),
            ("sslkey", self.sslkey),
        )
        return tuple((name, str(value)) for name, value in given if value)

    def check(self, given: Given) -> None:
        given.exclude("DATABASE_URL", *(f"DATABASE_{name}" for name in _IN_URL))
        given.need(("DATABASE_SSLCERT", "DATABASE_SSLKEY"), ("DATABASE_SSLKEY", "DATABASE_SSLCERT"))
        if not given.environ.get("DATABASE_URL"):
            given.need_in_production("DATABASE_HOST", " (only DEVELOPMENT has an embedded database)")
            given.need_in_production("DATABASE_PASSWORD")
        elif given.in_production and self.url is not None and not self.url.password:
            given.problems.append("DATABASE_URL has no password")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings(Group):
    """How long rows are kept.

    They stand together here: an id has to be known for longer than its envelope can be published again.
    """

    published: int = setting(
        "OUTBOX_RETENTION", seconds, "How long published envelopes are kept", default=7 * 86400
    )
    bodies: int | None = setting(
        "MESSAGE_BODY_RETENTION", seconds,
        "How long the bytes of messages are kept, by whole months; unset: for ever", default=None,
    )  # fmt: skip
    messages: int | None = setting(
        "MESSAGE_RETENTION", seconds,
        "How long messages are kept; needs the three others; unset: for ever", default=None,
    )  # fmt: skip
    deliveries: int | None = setting(
        "DELIVERY_RETENTION", seconds,
        "How long deliveries are kept that are at their end; unset: for ever", default=None,
    )  # fmt: skip
    parked: int = setting(
        "PARKED_RETENTION", seconds,
        "How long envelopes are kept that a consumer could not apply; not longer than MESSAGE_BODY_RETENTION",
        default=30 * 86400,
    )  # fmt: skip
    events: int | None = setting(
        "EVENT_RETENTION", seconds,
        "How long integration events are kept, after the last of their stay; unset: for ever", default=None,
    )  # fmt: skip

    def check(self, given: Given) -> None:
        """Note a problem where something would go before what depends on it."""
        if self.messages is not None:
            for name in ("MESSAGE_BODY_RETENTION", "DELIVERY_RETENTION", "EVENT_RETENTION"):
                given.need(("MESSAGE_RETENTION", name))
            longest = {
                "MESSAGE_BODY_RETENTION": self.bodies,
                "DELIVERY_RETENTION": self.deliveries,
                "EVENT_RETENTION": self.events,
                "OUTBOX_RETENTION": self.published,
            }
            for name, kept in longest.items():
                if kept is not None and kept > self.messages:
                    given.problems.append(f"MESSAGE_RETENTION is shorter than {name}, which depends on it")
        if self.events is not None and self.published is not None and self.events < self.applied:
            given.problems.append(
                "EVENT_RETENTION is too short: at least two weeks, and twice OUTBOX_RETENTION,"
                " or consumers apply an event twice that is sent again"
            )

    @property
    def of_parked(self) -> int:
        """Seconds for which parked envelopes are kept: their bodies tell what messages' bodies do."""
        return self.parked if self.bodies is None else min(self.parked, self.bodies)

    @property
    def applied(self) -> int:
        """Seconds for which consumers know what they have applied."""
        return max(2 * self.published, _APPLIED_AT_LEAST)

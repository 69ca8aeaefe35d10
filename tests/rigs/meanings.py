"""What events mean now: mappings put, and applied to the events that are stored."""

from uuid import UUID, uuid4

from dhos_connector_api.db.engine import Database
from dhos_connector_api.events import mappings
from dhos_connector_api.intake import reprocess
from dhos_connector_api.site.model import Site
from tests.builders.rows import later

#: A site without anything of its own.
SITE = Site()


def map_to(database: Database, canonical: str | None, *, source: str = "HIS", code: str = " opd ") -> UUID:
    """Map that code, and return the id of its mapping."""
    with database.statements() as connection:
        row = mappings.put(
            connection,
            uuid4(),
            source_system=source,
            event_code=code,
            canonical_code=canonical,
            at=later(),
            by="test",
        )
    id_: UUID = row["id"]
    return id_


def applied(database: Database, *, limit: int = 100, site: Site = SITE, code: str = "OPD") -> int:
    """Apply what the code means now to stored events, and return to how many."""
    with database.transaction() as connection:
        meaning = reprocess.meaning_now(connection, site, "his", code)
        return reprocess.apply(connection, meaning, limit=limit, at=later())

"""The session that a relay selects and settles on."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.workers.lease import session_engine


@pytest.fixture
def session(address: DatabaseAddress, database: Database) -> Iterator[Connection]:
    """A session as the relay has it, on the empty database."""
    engine = session_engine(address.url())
    with engine.connect() as connection:
        yield connection
    engine.dispose()

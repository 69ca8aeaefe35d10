"""A database that is away: every attempt to connect fails, and is counted."""

from typing import NoReturn

import psycopg
from sqlalchemy import create_engine

from dhos_connector_api.db.engine import Database


class Away:
    """`database` is to be used; `tries` counts how often somebody did."""

    def __init__(self) -> None:
        self.tries = 0
        self.database = Database(create_engine("postgresql+psycopg://", creator=self._refuse))

    def _refuse(self) -> NoReturn:
        self.tries += 1
        raise psycopg.OperationalError

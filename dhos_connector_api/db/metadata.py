"""The one SQLAlchemy registry: every room's `models.py` declares its tables on `db`."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData

#: Names of constraints and indexes, so that a migration can name what it drops.
NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}

db = SQLAlchemy(metadata=MetaData(naming_convention=NAMING))

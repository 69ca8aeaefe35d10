"""What the tables of patients hold, to be compared with what is expected of a feed."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from sqlalchemy import text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.px.organizations import on_event
from tests.builders.feed import Patient

T = TypeVar("T")


def reader(database: Database) -> Reader:
    """The consumer of patients on that database."""
    return Reader(database, on_event.CONSUMER, on_event.apply, now)


def patients(database: Database) -> dict[str, Patient]:
    """Return what is known of every patient, by his MRN."""
    query = """
        SELECT one.mrn, one.first_name, one.last_name, one.phone, one.is_deceased,
            to_char(one.deceased_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS died_on, survivor.mrn AS survivor
        FROM patient AS one LEFT JOIN patient AS survivor ON survivor.id = one.merged_into
    """
    with database.statements() as connection:
        rows = connection.execute(text(query)).all()
    return {
        row.mrn: Patient(
            (row.first_name, row.last_name), row.phone, row.is_deceased, row.died_on, row.survivor
        )
        for row in rows
    }


def shuffled(random: Random, given: Sequence[T], most_copies: int = 3) -> list[T]:
    """Return each of these one to so many times, in any order."""
    copies = [each for each in given for _ in range(random.randint(1, most_copies))]
    random.shuffle(copies)
    return copies


def batches(random: Random, given: Sequence[T], most: int = 50) -> list[list[T]]:
    """Return these in pieces of any size up to `most`."""
    pieces, start = [], 0
    while start < len(given):
        size = random.randint(1, most)
        pieces.append(list(given[start : start + size]))
        start += size
    return pieces

"""What joins encounters and patients: names that are one encounter's, moves of all that is a patient's.

Nothing here commits.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.px.journeys.evidence import Evidence, Move, Name

_LINK = text(
    "INSERT INTO encounter_link (event_uuid, namespace, encounter_id, previous_id, created_at)"
    " VALUES (:event, :namespace, :encounter, :previous, :at) ON CONFLICT DO NOTHING"
)
_MOVE = text(
    "INSERT INTO patient_move (event_uuid, occurred_at, prior_id, patient_id, created_at)"
    " VALUES (:event, :occurred_at, :prior, :patient, :at) ON CONFLICT DO NOTHING"
)
_ALSO_CALLED = text("""
WITH RECURSIVE reached (namespace, encounter_id) AS (
    SELECT * FROM unnest(CAST(:namespaces AS text[]), CAST(:encounters AS text[]))
    UNION
    SELECT reached.namespace, CASE WHEN link.previous_id = reached.encounter_id
        THEN link.encounter_id ELSE link.previous_id END
    FROM reached JOIN encounter_link AS link ON link.namespace = reached.namespace
        AND (link.previous_id = reached.encounter_id OR link.encounter_id = reached.encounter_id)
)
SELECT namespace, encounter_id FROM reached
""")
_MOVES = text("""
WITH RECURSIVE step AS (
    SELECT event_uuid, occurred_at, prior_id, patient_id FROM patient_move
    WHERE prior_id = ANY(CAST(:patients AS uuid[]))
    UNION
    SELECT one.event_uuid, one.occurred_at, one.prior_id, one.patient_id
    FROM step JOIN patient_move AS one ON one.prior_id = step.patient_id
)
SELECT event_uuid, occurred_at, prior_id, patient_id FROM step
""")
_OF_PATIENTS = text("""
WITH RECURSIVE before (id) AS (
    SELECT unnest(CAST(:patients AS uuid[]))
    UNION
    SELECT prior_id FROM before JOIN patient_move ON patient_id = before.id
)
SELECT DISTINCT namespace, encounter_id FROM evidence WHERE patient_id = ANY(ARRAY(SELECT id FROM before))
""")


def add_link(connection: Connection, evidence: Evidence, at: datetime) -> None:
    """Store that the event gave its encounter another name, if it did."""
    if link := link_of(evidence):
        names = {"namespace": evidence.namespace, "encounter": evidence.encounter_id, "previous": link}
        connection.execute(_LINK, {"event": evidence.event_uuid, "at": at, **names})


def link_of(evidence: Evidence) -> str | None:
    """Return what the encounter was called before the event; None: it has no other name by it."""
    before = evidence.previous.encounter_id if evidence.previous else None
    return before if evidence.encounter_id and before != evidence.encounter_id else None


def add_move(connection: Connection, move: Move, at: datetime) -> None:
    """Store that whatever was one patient's is another's, if that is not known."""
    people = {"prior": move.prior_id, "patient": move.patient_id}
    connection.execute(_MOVE, {"event": move.event_uuid, "occurred_at": move.occurred_at, "at": at, **people})


def also_called(connection: Connection, names: Collection[Name]) -> set[Name]:
    """Return these names, and all others that links join with them."""
    return {Name(*row) for row in connection.execute(_ALSO_CALLED, asked(names))}


def moves(connection: Connection, patients: Collection[UUID]) -> list[Move]:
    """Return the moves that lead on from these patients, step by step."""
    if not patients:
        return []
    rows = connection.execute(_MOVES, {"patients": list(patients)}).mappings()
    return [Move(**row) for row in rows]


def names_of_patients(connection: Connection, patients: Collection[UUID]) -> set[Name]:
    """Return the names of encounters that were told of these patients, or of those moved to them."""
    rows = connection.execute(_OF_PATIENTS, {"patients": list(patients)})
    return {Name(*row) for row in rows}


def asked(names: Iterable[Name]) -> dict[str, list[str]]:
    """Return these names as the parameters `namespaces` and `encounters`."""
    given = list(names)
    return {
        "namespaces": [each.namespace for each in given],
        "encounters": [each.encounter_id for each in given],
    }

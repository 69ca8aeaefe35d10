"""What is kept of merges of patients. Nothing here commits.

One transaction at a time adds or undoes merges (`lock`): who survives is folded from all that hang together.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.px.organizations.merges import Kind, Merge

#: "dhos" and a number, see `workers.lease.RELAY_LOCK`.
_LOCK_KEY = 0x64686F73_0003
_ADD = text(
    "INSERT INTO patient_merge (event_uuid, prior_id, survivor_id, kind, occurred_at, created_at)"
    " SELECT event, prior, survivor, kind, occurred, :at FROM unnest(CAST(:events AS uuid[]),"
    " CAST(:priors AS uuid[]), CAST(:survivors AS uuid[]), CAST(:kinds AS text[]),"
    " CAST(:times AS timestamptz[])) AS given (event, prior, survivor, kind, occurred)"
    " ORDER BY event, prior ON CONFLICT DO NOTHING"
)
# All that hang together with these patients, undone ones as well.
_COMPONENT = text("""
WITH RECURSIVE reached (id) AS (
    SELECT unnest(CAST(:ids AS uuid[]))
    UNION
    SELECT CASE WHEN prior_id = reached.id THEN survivor_id ELSE prior_id END
    FROM reached JOIN patient_merge ON prior_id = reached.id OR survivor_id = reached.id
)
SELECT occurred_at, event_uuid, prior_id, survivor_id, kind, undone_at IS NOT NULL AS is_undone
FROM patient_merge WHERE prior_id IN (SELECT id FROM reached)
""")
_RENAMES = text("""
WITH RECURSIVE step AS (
    SELECT occurred_at, event_uuid, prior_id, survivor_id, kind FROM patient_merge
    WHERE prior_id = ANY(CAST(:ids AS uuid[])) AND kind = 'rename' AND undone_at IS NULL
    UNION
    SELECT one.occurred_at, one.event_uuid, one.prior_id, one.survivor_id, one.kind
    FROM step JOIN patient_merge AS one ON one.prior_id = step.survivor_id
    WHERE one.kind = 'rename' AND one.undone_at IS NULL
)
SELECT * FROM step
""")
_POINT = text(
    "UPDATE patient SET merged_into = given.survivor, updated_at = :at, version = version + 1"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:survivors AS uuid[])) AS given (id, survivor)"
    " WHERE patient.id = given.id AND merged_into IS DISTINCT FROM given.survivor"
)
_UNDO = text(
    "UPDATE patient_merge SET undone_at = :at, undone_by = :by"
    " WHERE prior_id = :prior AND undone_at IS NULL RETURNING event_uuid"
)


def lock(connection: Connection) -> None:
    """Wait until no other transaction adds or undoes merges; the lock ends with this one."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def add(connection: Connection, merges: Sequence[Merge], at: datetime) -> None:
    """Add those of these merges that are not known; one that a person has undone stays undone."""
    values = {
        "at": at,
        "events": [each.event_uuid for each in merges],
        "priors": [each.prior for each in merges],
        "survivors": [each.survivor for each in merges],
        "kinds": [each.kind for each in merges],
        "times": [each.occurred_at for each in merges],
    }
    connection.execute(_ADD, values)


def component(connection: Connection, patients: Collection[UUID]) -> tuple[set[UUID], list[Merge]]:
    """Return all patients that merges join with these, and the merges among them that hold."""
    rows = connection.execute(_COMPONENT, {"ids": list(patients)}).mappings().all()
    joined = {row[name] for row in rows for name in ("prior_id", "survivor_id")}
    return joined | set(patients), [_merge(row) for row in rows if not row["is_undone"]]


def renames(connection: Connection, patients: Collection[UUID]) -> list[Merge]:
    """Return the changes of number that lead on from these patients, step by step."""
    found = connection.execute(_RENAMES, {"ids": list(patients)}).mappings()
    return [_merge(row) for row in found]


def _merge(row: RowMapping) -> Merge:
    kind = Kind(row["kind"])
    return Merge(row["occurred_at"], row["event_uuid"], row["prior_id"], row["survivor_id"], kind)


def point(
    connection: Connection, patients: Collection[UUID], survivors: Mapping[UUID, UUID], at: datetime
) -> int:
    """Store the survivor of each of these patients, or that he has none; return how many changed."""
    ids = sorted(patients)
    values = {"at": at, "ids": ids, "survivors": [survivors.get(each) for each in ids]}
    return connection.execute(_POINT, values).rowcount


def undo(connection: Connection, prior: UUID, *, at: datetime, by: str) -> int:
    """Note that this patient was not given up for anybody; return how many merges said that he was."""
    return len(connection.execute(_UNDO, {"prior": prior, "at": at, "by": by}).all())

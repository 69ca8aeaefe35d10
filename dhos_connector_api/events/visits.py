"""The visits that are known of a stay: what a HIS is answered as completed stages."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, text

#: (HospitalID, AdmissionID): what tells encounters of one source apart.
Encounter = tuple[str, str]

#: The index is over lower(encounter_id).
KNOWN = text("""
SELECT payload->>'HospitalID' AS hospital_id, encounter_id, id, event_code
FROM integration_event
WHERE lower(encounter_id) = ANY(ARRAY(SELECT lower(one) FROM unnest(CAST(:encounter_ids AS text[])) AS one))
    AND encounter_id = ANY(CAST(:encounter_ids AS text[]))
    AND source_system = :source AND state = 'accepted' AND payload->>'BillDate' IS NOT NULL
ORDER BY occurred_at, id
""")


def of_encounters(
    connection: Connection, source: str, encounters: Iterable[Encounter]
) -> dict[Encounter, list[tuple[UUID, str]]]:
    """For each encounter the ids and types, as sent, of its visits, in the order they happened.

    Visits of a type nobody knows are kept, but are not among them.
    """
    found: dict[Encounter, list[tuple[UUID, str]]] = {each: [] for each in encounters}
    ids = sorted({encounter_id for _, encounter_id in found})
    for hospital_id, encounter_id, id_, type_ in connection.execute(
        KNOWN, {"source": source, "encounter_ids": ids}
    ):
        if (hospital_id, encounter_id) in found:
            found[hospital_id, encounter_id].append((id_, type_))
    return found

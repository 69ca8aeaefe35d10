"""The visits that are known of a stay: what a HIS is answered as completed stages."""

from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.actions.his.payload import folded

#: (HospitalID folded, AdmissionID): what tells encounters of one source apart.
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
        encounter = folded(hospital_id or ""), encounter_id
        if encounter in found:
            found[encounter].append((id_, type_))
    return found


def discharges(connection: Connection, identities: Iterable[bytes]) -> dict[bytes, str]:
    """When (ISO 8601 in the hospital's zone) the stays were ended whose discharges have these identities."""
    rows = connection.exec_driver_sql(
        "SELECT identity, payload->>'DischargeDate' FROM integration_event"
        " WHERE identity = ANY(%(identities)s::bytea[]) AND payload->>'DischargeDate' IS NOT NULL",
        {"identities": list(identities)},
    )
    return {bytes(identity): at for identity, at in rows}


#: Encounters share so many locks: a request of many stays must not use up what PostgreSQL has room for.
_LOCKS = 256
#: "his": advisory locks of two numbers never meet those of one.
_ROOM = 0x686973


def lock(connection: Connection, encounters: Iterable[Encounter]) -> None:
    """Let whoever else keeps something of these encounters wait until this transaction ends.

    Always in the same order, so that two requests with the same encounters do not wait in a circle.
    """
    slots = {int.from_bytes(sha256("\0".join(each).encode()).digest()[:4]) % _LOCKS for each in encounters}
    connection.exec_driver_sql(
        "SELECT pg_advisory_xact_lock(%(room)s, slot) FROM unnest(%(slots)s::int[]) AS slot",
        {"room": _ROOM, "slots": sorted(slots)},
    )

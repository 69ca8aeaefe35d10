"""Stays in hospital as the events of a source tell of them: their visits, their ends, and their locks.

What a source calls the fields of its payloads is handed in (`StayFields`). Nothing here commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, RowMapping, text

#: (hospital as it is compared, the stay's number there): what tells encounters of one source apart.
Encounter = tuple[str, str]


@dataclass(frozen=True, slots=True)
class StayFields:
    """The names of payload fields: the hospital; the time of a visit; the time a stay ended.

    An event is a visit, or the end of a stay, if its payload has that field.
    """

    hospital: str
    visited_at: str
    ended_at: str


#: The index is over lower(encounter_id).
KNOWN = text("""
SELECT payload->>CAST(:hospital AS text) AS hospital, encounter_id, id, event_code
FROM integration_event
WHERE lower(encounter_id) = ANY(ARRAY(SELECT lower(one) FROM unnest(CAST(:encounter_ids AS text[])) AS one))
    AND encounter_id = ANY(CAST(:encounter_ids AS text[]))
    AND source_system = :source AND state = 'accepted' AND payload->>CAST(:visited_at AS text) IS NOT NULL
ORDER BY occurred_at, id
""")


def of_encounters(
    connection: Connection, source: str, encounter_ids: Iterable[str], fields: StayFields
) -> Sequence[RowMapping]:
    """Return `hospital`, `encounter_id`, `id` and `event_code` (as sent) of the visits of these encounters.

    They come in the order in which they happened. A number may be that of several hospitals' encounters.
    Visits of a type nobody knows are kept, but are not among them.
    """
    values = {
        "source": source,
        "encounter_ids": sorted(set(encounter_ids)),
        "hospital": fields.hospital,
        "visited_at": fields.visited_at,
    }
    return connection.execute(KNOWN, values).mappings().all()


def discharges(connection: Connection, identities: Iterable[bytes], fields: StayFields) -> dict[bytes, str]:
    """Return when the stays ended whose discharges have these identities: the time as it was kept."""
    rows = connection.exec_driver_sql(
        "SELECT identity, payload->>%(ended_at)s::text FROM integration_event"
        " WHERE identity = ANY(%(identities)s::bytea[]) AND payload->>%(ended_at)s::text IS NOT NULL",
        {"identities": list(identities), "ended_at": fields.ended_at},
    )
    return {bytes(identity): at for identity, at in rows}


#: `received_at` first: a replay gives an event a newer id than what it says is old.
_TOLD = text("""
SELECT DISTINCT ON (encounter_id, hospital)
    payload->>CAST(:hospital AS text) AS hospital, encounter_id, received_at, companions, event_fields
FROM integration_event
WHERE lower(encounter_id) = ANY(ARRAY(SELECT lower(one) FROM unnest(CAST(:encounter_ids AS text[])) AS one))
    AND encounter_id = ANY(CAST(:encounter_ids AS text[]))
    AND source_system = :source AND state = 'accepted' AND companions IS NOT NULL
ORDER BY encounter_id, hospital, received_at DESC, id DESC
""")


def told(
    connection: Connection, source: str, encounter_ids: Iterable[str], fields: StayFields
) -> Sequence[RowMapping]:
    """Return what was told last of these encounters: the newest event of each that says anything of it.

    `hospital` (as sent), `encounter_id`, `received_at`, `companions`, `event_fields`.
    """
    values = {"source": source, "encounter_ids": sorted(set(encounter_ids)), "hospital": fields.hospital}
    return connection.execute(_TOLD, values).mappings().all()


#: Encounters share so many locks: a request of many stays must not use up what PostgreSQL has room for.
_LOCKS = 256
#: "his": advisory locks of two numbers never meet those of one.
_ROOM = 0x686973


def lock(connection: Connection, encounters: Iterable[Encounter]) -> None:
    """Lock these encounters until the transaction ends: nobody else keeps or changes events of them.

    Always in the same order, so that two requests with the same encounters do not wait in a circle. For
    the same reason they are locked before events, and all at once.
    """
    slots = {int.from_bytes(sha256("\0".join(each).encode()).digest()[:4]) % _LOCKS for each in encounters}
    if not slots:
        return
    connection.exec_driver_sql(
        "SELECT pg_advisory_xact_lock(%(room)s, slot) FROM unnest(%(slots)s::int[]) AS slot",
        {"room": _ROOM, "slots": sorted(slots)},
    )

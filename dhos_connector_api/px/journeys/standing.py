"""How the journeys of a source's encounters stand: read alone, for whoever told of them. Never commits."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.px.journeys.evidence import PERSON, EncounterKey
from dhos_connector_api.px.organizations import feed_store
from dhos_connector_api.px.organizations.identity import folded

#: No consumer has opened it yet.
PENDING = "pending"
_STANDING = text("""
SELECT asked.encounter_id, asked.hospital_id, journey.id, journey.status, ARRAY(
    SELECT CASE WHEN evidence.source = :person THEN trim(split_part(waited.trigger_event_code, '|', 1))
        ELSE coalesce(evidence.source_code, evidence.code) END
    FROM stage_instance AS stage JOIN evidence USING (event_uuid)
    JOIN stage_template AS waited ON waited.id = stage.stage_template_id
    WHERE stage.journey_id = journey.id AND stage.status = 'completed'
    ORDER BY stage.completed_at, stage.position
) AS completed
FROM unnest(CAST(:encounters AS text[]), CAST(:hospitals AS uuid[])) AS asked (encounter_id, hospital_id)
JOIN encounter_alias AS alias ON alias.namespace = :namespace
    AND alias.encounter_id = asked.encounter_id AND alias.hospital_id = asked.hospital_id
JOIN journey_instance AS journey ON journey.id = alias.journey_id
""")
_APPLIED = text("SELECT count(*) FROM evidence WHERE message_uuid = :message")

#: What a source calls the hospital, and the encounter there.
Stay = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """A journey's id and status, and the codes of the events that completed its stages, as they were sent.

    Of a stage that a person completed it is the first code that the stage waits for.
    """

    journey_id: UUID
    status: str
    completed: tuple[str, ...] = ()


def standing(
    connection: Connection, source: str, namespace: str, stays: Collection[Stay]
) -> dict[Stay, Standing]:
    """Return how the journeys of these stays stand; stays at hospitals that nobody knows are left out.

    One that is not opened yet is pending, under the id that it will have.
    """
    homes = feed_store.hospitals(connection, {(source, folded(facility)) for facility, _ in stays})
    keys = {
        (facility, encounter): EncounterKey(namespace, homes[source, folded(facility)][0], encounter)
        for facility, encounter in stays
        if (source, folded(facility)) in homes
    }
    if not keys:
        return {}
    asked = {
        "person": PERSON,
        "namespace": namespace,
        "encounters": [each.encounter_id for each in keys.values()],
        "hospitals": [each.hospital_id for each in keys.values()],
    }
    known = {(row.encounter_id, row.hospital_id): row for row in connection.execute(_STANDING, asked)}
    found: dict[Stay, Standing] = {}
    for stay, key in keys.items():
        row = known.get((key.encounter_id, key.hospital_id))
        found[stay] = (
            Standing(row.id, row.status, tuple(dict.fromkeys(row.completed)))
            if row
            else Standing(key.journey_id, PENDING)
        )
    return found


def applied(connection: Connection, message_uuid: UUID) -> int:
    """Return how many events of a message the consumer of journeys has taken."""
    return int(connection.execute(_APPLIED, {"message": message_uuid}).scalar_one())

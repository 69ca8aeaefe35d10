"""Evidence at rest: the SQL on it. Nothing here commits."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.px.journeys import link_store
from dhos_connector_api.px.journeys.evidence import Evidence, Name, Previous


class State(StrEnum):
    """What became of a piece of evidence."""

    WAITING = "waiting"  # for what opens its journey, its hospital or a template
    APPLIED = "applied"
    IGNORED = "ignored"  # it waited too long, or is too many


class Kept(NamedTuple):
    """A piece of evidence as it is kept."""

    evidence: Evidence
    state: str
    reason: str | None
    hospital_id: UUID | None
    journey_id: UUID | None


class Became(NamedTuple):
    """What has become of a piece of evidence now."""

    event_uuid: UUID
    state: State
    reason: str | None
    hospital_id: UUID | None
    journey_id: UUID | None


_COLUMNS = (
    *("event_uuid", "generation", "namespace", "facility", "encounter_id", "patient_id", "source", "code"),
    *("source_code", "occurred_at", "received_at", "message_uuid", "facts"),
)
_ADD = text(f"""
INSERT INTO evidence ({", ".join(_COLUMNS)}, state, created_at)
SELECT {", ".join(_COLUMNS)}, 'waiting', :at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
    event_uuid uuid, generation int, namespace text, facility text, encounter_id text, patient_id uuid,
    source text, code text, source_code text, occurred_at timestamptz, received_at timestamptz,
    message_uuid uuid, facts jsonb)
ORDER BY event_uuid
ON CONFLICT (event_uuid) DO UPDATE SET
    generation = excluded.generation, code = excluded.code, source_code = excluded.source_code,
    occurred_at = excluded.occurred_at, message_uuid = excluded.message_uuid, facts = excluded.facts,
    reason = nullif(evidence.reason, 'too_many')
WHERE evidence.generation < excluded.generation
RETURNING event_uuid
""")  # noqa: S608  constants only
_OF_NAMES = text(f"""
SELECT {", ".join(f"evidence.{each}" for each in _COLUMNS)}, state, reason, hospital_id, journey_id
FROM unnest(CAST(:namespaces AS text[]), CAST(:encounters AS text[])) AS asked (namespace, encounter_id)
JOIN evidence USING (namespace, encounter_id)
WHERE reason IS DISTINCT FROM 'too_many'
""")  # noqa: S608  constants only
_SETTLE = text(
    "UPDATE evidence SET state = given.state, reason = given.reason, hospital_id = given.hospital,"
    " journey_id = given.journey FROM unnest(CAST(:events AS uuid[]), CAST(:states AS text[]),"
    " CAST(:reasons AS text[]), CAST(:hospitals AS uuid[]), CAST(:journeys AS uuid[]))"
    " AS given (event, state, reason, hospital, journey) WHERE event_uuid = given.event"
)
# What waited for what people have set up since; by chance, so that none keeps others from its turn. Of an
# encounter without a template that piece is looked at which tells a type, or any where none does.
_RIPE = text("""
SELECT DISTINCT namespace, encounter_id FROM (
    SELECT namespace, encounter_id FROM evidence
    WHERE state = 'waiting' AND (
        reason IN ('no_hospital', 'several_hospitals') AND (
            facility = ANY(CAST(:of_any AS text[])) OR (source, facility) IN (
                SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:facilities AS text[]))))
        OR reason = 'no_template' AND EXISTS (
            SELECT FROM journey_template WHERE is_default AND is_active
                AND journey_template.hospital_id = evidence.hospital_id
                AND journey_type = coalesce(facts->>'journey_type', facts->>'default_type', 'opd'))
            AND (facts ? 'journey_type' OR NOT EXISTS (
                SELECT FROM evidence AS other WHERE other.encounter_id = evidence.encounter_id
                    AND other.namespace = evidence.namespace AND other.state = 'waiting'
                    AND other.facts ? 'journey_type')))
    ORDER BY random() LIMIT :limit
) AS ripe
""")
# By name, as the index of encounters has them.
_GIVEN_UP = text("""
SELECT DISTINCT namespace, encounter_id FROM evidence
WHERE state = 'ignored' AND reason IN ('no_hospital', 'several_hospitals', 'no_template')
    AND (encounter_id, namespace) > (:encounter, :namespace)
    AND (CAST(:since AS timestamptz) IS NULL OR received_at >= :since)
    AND (CAST(:hospital AS uuid) IS NULL OR hospital_id = :hospital)
ORDER BY encounter_id, namespace LIMIT :limit
""")
_EXPIRE = text("""
UPDATE evidence SET state = 'ignored' WHERE event_uuid IN (
    SELECT event_uuid FROM evidence WHERE state = 'waiting' AND received_at < :before
    ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED
) RETURNING message_uuid, coalesce(reason, 'no_journey') AS reason
""")
_STILL_WAITING = text(
    "SELECT DISTINCT message_uuid FROM evidence WHERE message_uuid = ANY(CAST(:messages AS uuid[]))"
    " AND state = 'waiting'"
)
_NOTE_DONE = text(
    "INSERT INTO evidence_done (message_uuid, created_at)"
    " SELECT one, :at FROM unnest(CAST(:messages AS uuid[])) AS one ON CONFLICT DO NOTHING"
)
_TAKE_DONE = text(
    "DELETE FROM evidence_done WHERE message_uuid = ANY(ARRAY(SELECT message_uuid FROM evidence_done"
    " ORDER BY message_uuid LIMIT :limit FOR UPDATE SKIP LOCKED)) RETURNING message_uuid"
)
_COUNTS = text(
    "SELECT coalesce(reason, 'no_journey') AS reason, count(*) AS waiting, min(received_at) AS oldest"
    " FROM evidence WHERE state = 'waiting' GROUP BY 1 ORDER BY 1"
)


def add(connection: Connection, given: Sequence[Evidence], at: datetime) -> set[UUID]:
    """Store these pieces; return the events that are new, or of a newer generation than what was known.

    What links names of encounters is stored with them. A newer generation replaces what an event means, not
    whose it is: only events that mappings give a code to have any, and these name the same encounter,
    facility and patient again, came when they came, and have no `previous`.
    """
    if not given:
        return set()
    newest = {each.event_uuid: each for each in sorted(given, key=lambda each: each.generation)}
    rows = json.dumps([_row(each) for each in newest.values()], default=str)
    new = set(connection.execute(_ADD, {"rows": rows, "at": at}).scalars())
    for each in newest.values():
        if each.event_uuid in new:
            link_store.add_link(connection, each, at)
    return new


def of_names(connection: Connection, names: Collection[Name]) -> list[Kept]:
    """Return all evidence of encounters with these names, but what was too many: it stays so.

    A newer generation of it is looked at again: it may mean something that counts.
    """
    return [_kept(row) for row in connection.execute(_OF_NAMES, link_store.asked(names)).mappings().all()]


def settle(connection: Connection, became: Sequence[Became]) -> None:
    """Store what has become of these pieces of evidence."""
    if not became:
        return
    ordered = sorted(became)
    values = {
        "events": [each.event_uuid for each in ordered],
        "states": [each.state.value for each in ordered],
        "reasons": [each.reason for each in ordered],
        "hospitals": [each.hospital_id for each in ordered],
        "journeys": [each.journey_id for each in ordered],
    }
    connection.execute(_SETTLE, values)


def ripe(connection: Connection, facilities: Collection[tuple[str | None, str]], limit: int) -> set[Name]:
    """Return names of encounters whose evidence waited for a hospital or template that there is by now.

    `facilities` are the names (folded) of hospitals that are known, each with the source that calls one so,
    or None where all do.
    """
    named = [(source, name) for source, name in facilities if source is not None]
    values = {
        "of_any": [name for source, name in facilities if source is None],
        "sources": [source for source, _ in named],
        "facilities": [name for _, name in named],
    }
    return {Name(*row) for row in connection.execute(_RIPE, values | {"limit": limit})}


def given_up(
    connection: Connection, after: Name, limit: int, *, since: datetime | None, hospital: UUID | None
) -> list[Name]:
    """Return up to `limit` names of encounters, those after that one, whose evidence waited for too long.

    It waited for what people set up, and came `since`; of a hospital only what was known to be its.
    """
    values = {**after._asdict(), "limit": limit, "since": since, "hospital": hospital}
    rows = connection.execute(_GIVEN_UP, {**values, "encounter": after.encounter_id})
    return [Name(*row) for row in rows]


def expire(connection: Connection, before: datetime, limit: int) -> list[tuple[UUID, str]]:
    """Ignore up to `limit` pieces that wait and came before then; return each one's message and reason."""
    rows = connection.execute(_EXPIRE, {"before": before, "limit": limit})
    return [(row.message_uuid, row.reason) for row in rows]


def still_waiting(connection: Connection, messages: Collection[UUID]) -> set[UUID]:
    """Return those of these messages of which evidence waits."""
    return set(connection.execute(_STILL_WAITING, {"messages": list(messages)}).scalars())


def note_done(connection: Connection, messages: Collection[UUID], at: datetime) -> None:
    """Note for `take_done` those of these messages of which nothing waits any more."""
    done = sorted(set(messages) - still_waiting(connection, messages))
    if done:
        connection.execute(_NOTE_DONE, {"messages": done, "at": at})


def take_done(connection: Connection, limit: int) -> list[UUID]:
    """Take up to `limit` messages that were noted, and forget them."""
    return list(connection.execute(_TAKE_DONE, {"limit": limit}).scalars())


def counts(connection: Connection) -> Sequence[RowMapping]:
    """Return how much evidence waits, by reason, and since when the oldest."""
    return connection.execute(_COUNTS).mappings().all()


#: What has no column of its own.
_FACTS = (
    *(
        "mrn",
        "journey_type",
        "default_type",
        "department",
        "physician",
        "discharged_at",
        "deceased",
        "stage_id",
        "reason",
    ),
    *("actor_id", "template_version_id", "hospital_id"),
)
_IDS = ("stage_id", "actor_id", "template_version_id", "hospital_id")


def _row(evidence: Evidence) -> dict[str, Any]:
    facts = {name: value for name in _FACTS if (value := getattr(evidence, name)) is not None}
    if evidence.previous:
        facts["previous"] = list(evidence.previous)
    return {name: getattr(evidence, name) for name in _COLUMNS[:-1]} | {"facts": facts}


def _kept(row: RowMapping) -> Kept:
    facts = dict(row["facts"])
    for name in _IDS:
        if name in facts:
            facts[name] = UUID(facts[name])
    if "discharged_at" in facts:
        facts["discharged_at"] = datetime.fromisoformat(facts["discharged_at"])
    if before := facts.pop("previous", None):
        mrn, nhs_number, encounter_id, patient = before
        facts["previous"] = Previous(mrn, nhs_number, encounter_id, UUID(patient) if patient else None)
    columns = {name: row[name] for name in _COLUMNS[:-1]}
    return Kept(
        Evidence(**columns, **facts), row["state"], row["reason"], row["hospital_id"], row["journey_id"]
    )

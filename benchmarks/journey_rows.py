"""Hospitals, patients, journeys with their stages, and evidence, made by SQL, to be listed and folded."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from benchmarks.harness import Bench
from dhos_connector_api.px.journeys.evidence import EncounterKey
from dhos_connector_api.px.organizations.identity import SHARED

#: Of which the first is the largest; sources call hospital n `J`n.
HOSPITALS = [UUID(int=0x10A0000 + each) for each in range(20)]
#: What is told of a visit, in this order: the first opens it, the last closes it.
CODES = ("ADT_A04", "LAB_COMPLETED", "RADIOLOGY_COMPLETED", "PHARMACY_DISPENSED", "OPD_VISIT_COMPLETED")
SOURCE = "bench"
_START = datetime(2026, 1, 1, tzinfo=UTC)

_HOSPITAL = b"INSERT INTO hospital (id, created_at, updated_at, code, name) VALUES (%s, now(), now(), %s, %s)"
#: A tenth has each of the first names; last names are rare, ten have each.
_PATIENTS = """
WITH made AS (
    SELECT n, (ARRAY['Mohammed','Ahmed','Fatima','Sara','John','Omar','Layla','Mary','Noura','Khalid'])
        [1 + mod(n, 10)] AS first, 'Last' || n / 10 AS last
    FROM generate_series(1, %(count)s) AS n
), kept AS (
    INSERT INTO patient (id, created_at, updated_at, hospital_id, mrn, first_name, last_name, search)
    SELECT gen_random_uuid(), now(), now(), (%(hospitals)s::uuid[])[1 + mod(n, 20)], 'JM' || n, first, last,
        array_to_tsvector(ARRAY[lower(first), lower(last)])
    FROM made RETURNING id, mrn
)
INSERT INTO patient_identifier (patient_id, authority, type, value, created_at)
SELECT id, 'h', 'MRN', mrn, now() FROM kept
"""
_JOURNEYS = """
COPY journey_instance (id, created_at, updated_at, hospital_id, namespace, encounter_id, journey_type,
    templates, status, started_at, completed_at, last_at) FROM STDIN
"""
_IDS = """
CREATE TEMPORARY TABLE patients AS SELECT array_agg(id) AS ids FROM patient WHERE starts_with(mrn, 'JM')
"""
#: Whose they are, and what they go through: as the hospitals' templates are.
_BELONGS = """
UPDATE journey_instance AS journey SET journey_template_id = template.id, stage_count = 5,
    templates = jsonb_build_object('opd', template.current_version_id), patient_id = (
        SELECT patients.ids[1 + mod(abs(hashtext(encounter_id)), cardinality(patients.ids))] FROM patients)
FROM journey_template AS template
WHERE template.hospital_id = journey.hospital_id AND template.journey_type = 'opd' AND template.is_default
    AND journey.journey_template_id IS NULL
"""
_ALIASES = """
INSERT INTO encounter_alias (namespace, encounter_id, hospital_id, journey_id, created_at)
SELECT namespace, encounter_id, hospital_id, id, created_at FROM journey_instance ON CONFLICT DO NOTHING
"""
_STAGES = """
INSERT INTO stage_instance (id, created_at, updated_at, journey_id, stage_template_id, hospital_id, position,
    code, name, name_ar, status)
SELECT gen_random_uuid(), journey.created_at, journey.created_at, journey.id, stage.id, journey.hospital_id,
    stage.position, stage.code, stage.name, stage.name_ar,
    CASE journey.status WHEN 'active' THEN 'pending' WHEN 'completed' THEN 'completed' ELSE 'cancelled' END
FROM journey_instance AS journey JOIN stage_template AS stage USING (journey_template_id)
WHERE NOT EXISTS (SELECT FROM stage_instance AS known WHERE known.journey_id = journey.id)
"""
_EVIDENCE = """
INSERT INTO evidence (event_uuid, namespace, facility, encounter_id, patient_id, source, code, occurred_at,
    received_at, message_uuid, facts, state, hospital_id, journey_id, created_at)
SELECT gen_random_uuid(), namespace, '', encounter_id, patient_id, %(source)s, code,
    started_at + n * interval '10 min', started_at, gen_random_uuid(),
    jsonb_build_object('hospital_id', hospital_id, 'journey_type', 'opd'),
    'applied', hospital_id, id, started_at
FROM journey_instance, unnest(%(codes)s::text[]) WITH ORDINALITY AS told (code, n)
WHERE starts_with(encounter_id, %(run)s)
"""


def make_hospitals(bench: Bench) -> None:
    """Make the hospitals, each with the templates that the Connector brings along."""
    with bench.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(_HOSPITAL, [(each, f"J{n}", f"Hospital J{n}") for n, each in enumerate(HOSPITALS)])
    bench.command("journeys", "seed")


def make_patients(bench: Bench, count: int) -> None:
    """Make so many patients, `JM`1 and so on, evenly in the hospitals."""
    with bench.connect() as connection:
        connection.execute(_PATIENTS.encode(), {"count": count, "hospitals": HOSPITALS})


def make_journeys(bench: Bench, run: str, count: int) -> None:
    """Make so many journeys without stages, of encounters `run`0 and so on; four of five are over."""
    with bench.connect() as connection, connection.cursor() as cursor:
        with cursor.copy(_JOURNEYS.encode()) as copy:
            for row in _journeys(run, count):
                copy.write_row(row)
        cursor.execute(_IDS.encode())
        cursor.execute(_BELONGS.encode())
        cursor.execute(_ALIASES.encode())
        cursor.execute(b"DROP TABLE patients")
        cursor.execute(b"VACUUM ANALYZE journey_instance, encounter_alias, patient, patient_identifier")


def _journeys(run: str, count: int) -> Iterator[tuple[object, ...]]:
    statuses = ("completed", "completed", "completed", "cancelled", "active")
    for number in range(count):
        hospital = HOSPITALS[0 if number % 2 else number // 2 % 20]
        at = _START + timedelta(seconds=number * 20 % 20_000_000, microseconds=number)
        status = statuses[number % 5]
        key = EncounterKey(SHARED, hospital, f"{run}{number}")
        ended = None if status == "active" else at + timedelta(hours=1)
        yield (
            *(key.journey_id, at, at, hospital, SHARED, key.encounter_id, "opd", "{}"),
            *(status, at, ended, at + timedelta(hours=1)),
        )


def make_stages(bench: Bench) -> None:
    """Give each journey that has no stages those of its template, as they stand with its status."""
    with bench.connect() as connection:
        connection.execute(_STAGES.encode())
        connection.execute(b"VACUUM ANALYZE stage_instance")


def make_evidence(bench: Bench, run: str) -> None:
    """Make evidence of CODES for each journey whose encounter begins with `run`."""
    with bench.connect() as connection:
        connection.execute(_EVIDENCE.encode(), {"source": SOURCE, "codes": list(CODES), "run": run})
        connection.execute(b"VACUUM ANALYZE evidence")

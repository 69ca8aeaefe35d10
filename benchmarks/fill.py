"""A store of a million messages, made by SQL: facts, bodies, keys and identifiers as the intake does."""

from benchmarks import sample
from benchmarks.harness import Bench

#: Patients the messages belong to, some 20 messages each in a million; and one with a thousand.
PATIENTS = 50_000
MRN = "SEARCH{}"
HEAVY_MRN = "SEARCHHEAVY"
CONTROL_ID = "FILL{}"
_HEAVY_SHARE = 1000
_CHUNK = 100_000

#: Version 7 UUIDs in the order of `number`, so many seconds apart, ending now.
_NUMBERS = """
CREATE TEMPORARY TABLE filling AS
SELECT number, moment,
    (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(number::text), 1, 3) || '8' || substr(md5(number::text), 4, 15))::uuid AS uuid
FROM (
    SELECT number, now() - make_interval(secs => (%(rows)s - number) * %(apart)s::float8) AS moment
    FROM generate_series(%(first)s::int, %(last)s::int) AS number
) AS numbered
"""

_MESSAGES = """
INSERT INTO message (uuid, created, created_by, modified, modified_by, src_description, dst_description,
    state, message_type, event_code, sending_application, sending_facility, message_control_id, sent_at,
    ack_status, key, correlation_id, kind, is_processed)
SELECT uuid, moment, 'benchmark', moment, 'benchmark', 'tie', 'dhos', 'accepted', 'ADT^A01^ADT_A01',
    'ADT_A01',
    'CERNER', 'NOC', 'FILL' || number, moment, 'AA', sha256(('FILL' || number)::bytea), 'fill-' || number,
    'hl7', %(processed)s::boolean
FROM filling ORDER BY number
"""

_BODIES = """
INSERT INTO message_body (message_uuid, created, received, content, charset, ack)
SELECT uuid, moment, %(received)s::bytea, %(content)s::text, 'latin-1', %(ack)s::bytea
FROM filling ORDER BY number
"""

_KEYS = """
INSERT INTO message_key (key, message_uuid, content_hash, claimed_at)
SELECT sha256(('FILL' || number)::bytea), uuid, sha256(number::text::bytea), moment
FROM filling
"""

_IDENTIFIERS = """
INSERT INTO message_identifier (identifier_type, value, message_uuid)
SELECT 'MRN', 'SEARCH' || number %% %(patients)s, uuid FROM filling
UNION ALL SELECT 'NHS number', (4000000000 + number %% %(patients)s)::text, uuid FROM filling
UNION ALL SELECT 'Visit ID', 'VISIT' || number, uuid FROM filling
UNION ALL SELECT 'MRN', %(heavy)s, uuid FROM filling WHERE number %% %(heavy_share)s = 0
"""


def fill(bench: Bench, rows: int, *, apart: float = 0.5, processed: bool = False) -> None:
    """Add `rows` messages, so many seconds apart, then let PostgreSQL gather its statistics.

    Shows progress.
    """
    content = sample.hl7(0)
    values = {
        "rows": rows,
        "apart": apart,
        "processed": processed,
        "received": content,
        "content": content.decode("latin-1"),
        "ack": content[:200],
        "patients": PATIENTS,
        "heavy": HEAVY_MRN,
        "heavy_share": max(1, rows // _HEAVY_SHARE),
    }
    with bench.connect() as connection:
        for first in range(1, rows + 1, _CHUNK):
            values |= {"first": first, "last": min(first + _CHUNK - 1, rows)}
            connection.execute(_NUMBERS, values)
            for statement in (_MESSAGES, _BODIES, _KEYS, _IDENTIFIERS):
                connection.execute(statement, values)
            connection.execute("DROP TABLE filling")
            print(f"\r  {values['last']:,} of {rows:,} messages made", end="", flush=True)
        print("\r  gathering statistics" + " " * 30, flush=True)
        for table in ("message", "message_body", "message_key", "message_identifier"):
            connection.execute(f"VACUUM ANALYZE {table}".encode())

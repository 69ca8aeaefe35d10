"""The statements that write a message with all that belongs to it.

Each claims the duplicate key first; every other part follows only where the claim went through, so
one statement either keeps everything or nothing, and says which. `unnest` turns arrays into rows:
the text of a statement never changes, and PostgreSQL plans it once. The envelopes go into the `outbox`
in the same statement, though that is another room's table: what was acknowledged is published, and
there is one trip to the server for each message.
"""

#: Claims `key` for `uuid`; an older claim is taken over once its window has run out.
_CLAIM = """
WITH claimed AS (
    INSERT INTO message_key AS held (key, message_uuid, content_hash, claimed_at)
    SELECT %(key)s::bytea, %(uuid)s::uuid, %(content_hash)s::bytea, %(at)s::timestamptz
    WHERE %(key)s::bytea IS NOT NULL"""
#: Unless the same content is held under another key. Each by itself: a plan for few rows stays good for many.
_UNLESS_KNOWN = """
        AND NOT EXISTS (
            SELECT FROM message_key AS other WHERE other.key = %(other_key)s::bytea
                AND other.content_hash = %(content_hash)s::bytea
                AND other.claimed_at >= %(expired_before)s::timestamptz
        ) AND NOT EXISTS (
            SELECT FROM message_key AS other WHERE other.key = %(second_other_key)s::bytea
                AND other.content_hash = %(content_hash)s::bytea
                AND other.claimed_at >= %(expired_before)s::timestamptz
        )"""
_TAKE_OVER = """
    ON CONFLICT (key) DO UPDATE
        SET message_uuid = excluded.message_uuid, content_hash = excluded.content_hash,
            claimed_at = excluded.claimed_at, reuses = held.reuses + 1, repeats = 0, repeated_at = NULL
        WHERE held.claimed_at < %(expired_before)s::timestamptz
    RETURNING held.message_uuid
)"""

#: What follows from a message that was kept: search index, merges, envelopes to publish.
_EFFECTS = """
, found_under AS (
    INSERT INTO message_identifier (identifier_type, value, message_uuid)
    SELECT pair.type, pair.value, kept.uuid
    FROM kept, unnest(%(identifier_types)s::text[], %(identifier_values)s::text[]) AS pair (type, value)
    ON CONFLICT DO NOTHING
), merged AS (
    INSERT INTO identifier_merge (identifier_type, surviving, old, message_uuid)
    SELECT merge.type, merge.surviving, merge.old, kept.uuid
    FROM kept, unnest(%(merge_types)s::text[], %(merge_surviving)s::text[], %(merge_old)s::text[])
        AS merge (type, surviving, old)
    ON CONFLICT DO NOTHING
), queued AS (
    INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
    SELECT envelope.id, kept.uuid, %(sender)s::text, envelope.routing_key, envelope.body,
        %(correlation_id)s::text, %(at)s::timestamptz
    FROM kept, unnest(%(envelope_ids)s::uuid[], %(envelope_keys)s::text[], %(envelope_bodies)s::bytea[])
        AS envelope (id, routing_key, body)
)
SELECT count(*) FROM kept
"""

#: A message that has just come in. Without a key it is kept in any case.
_KEPT = (
    """
, kept AS (
    INSERT INTO message (
        uuid, kind, created, created_by, modified, modified_by, src_description, dst_description, state,
        message_type, event_code, sending_application, sending_facility, message_control_id, sent_at,
        ack_status, error_code, error_location, error_text, key, duplicate_of, correlation_id, title,
        door, door_charset, remarks, left_out)
    SELECT %(uuid)s::uuid, %(kind)s::text, %(at)s::timestamptz, %(created_by)s::text, %(at)s::timestamptz,
        %(created_by)s::text, %(src_description)s::text, %(dst_description)s::text, %(state)s::text,
        %(message_type)s::text, %(event_code)s::text, %(sending_application)s::text,
        %(sending_facility)s::text, %(message_control_id)s::text, %(sent_at)s::timestamptz,
        %(ack_status)s::text, %(error_code)s::text, %(error_location)s::text, %(error_text)s::text,
        %(key)s::bytea, %(duplicate_of)s::uuid, %(correlation_id)s::text,
        %(title)s::text, %(door)s::text, %(door_charset)s::text, %(remarks)s::text, %(left_out)s::jsonb
    WHERE %(key)s::bytea IS NULL OR EXISTS (SELECT FROM claimed)
    RETURNING uuid
), body AS (
    INSERT INTO message_body (message_uuid, created, received, content, charset, ack)
    SELECT uuid, %(at)s::timestamptz, %(received)s::bytea, %(content)s::text, %(charset)s::text,
        %(ack)s::bytea
    FROM kept
)"""  # noqa: S608  constants only
    + _EFFECTS
)
INSERT = _CLAIM + _TAKE_OVER + _KEPT
INSERT_UNLESS_KNOWN = _CLAIM + _UNLESS_KNOWN + _TAKE_OVER + _KEPT

#: A message kept earlier that a replay accepts now. What the sender was told stays as it is.
ACCEPT = (
    _CLAIM  # noqa: S608  constants only
    + _TAKE_OVER
    + """
, kept AS (
    UPDATE message SET state = 'accepted', replayed_at = %(at)s::timestamptz,
        modified = %(at)s::timestamptz, modified_by = %(by)s::text,
        key = %(key)s::bytea, left_out = %(left_out)s::jsonb,
        duplicate_of = CASE WHEN %(keeps_duplicate_of)s::boolean THEN duplicate_of END
    WHERE uuid = %(uuid)s::uuid AND state <> 'accepted' AND EXISTS (SELECT FROM claimed)
    RETURNING uuid
)"""
    + _EFFECTS
)

#: Who holds a key now, and what it was answered.
HOLDER = """
SELECT k.message_uuid, k.content_hash, b.ack, m.ack_status, b.charset, m.door
FROM message_key k
LEFT JOIN message m ON m.uuid = k.message_uuid
LEFT JOIN message_body b ON b.message_uuid = m.uuid AND b.created = m.created
WHERE k.key = %(key)s AND k.claimed_at >= %(expired_before)s
"""

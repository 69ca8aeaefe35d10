"""The statement that keeps integration events with all that belongs to them.

Arrays become rows by `unnest`: the text never changes, and PostgreSQL plans it once. Everything
follows from the rows that ON CONFLICT let through, so an event is kept and queued once or not at all.
So it also writes `message`, `message_body`, `message_identifier` and `outbox`, in one trip to the server.
What may be long is sent in binary (`%(name)b`): writing it as text would quote every quote of it.
"""

#: Gives the ids of those that were new. Inserted in the order of their identity, so that two requests
#: with the same events in another order wait for one another instead of deadlocking; queued in the
#: order given. Where nothing is published nobody will ever say that it is processed: it is already.
INSERT = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        %(id)s::uuid[], %(source_system)s::text[], %(event_code)s::text[], %(default_code)s::text[],
        %(canonical_code)s::text[], %(state)s::text[], %(encounter_id)s::text[],
        %(patient_identifier)s::text[], %(payload)b::text[], %(event_fields)b::text[],
        %(tells_payload)s::boolean[], %(companions)b::text[], %(occurred_at)s::timestamptz[],
        %(received_at)s::timestamptz[],
        %(message_uuid)s::uuid[], %(identity)s::bytea[], %(envelope_id)s::uuid[],
        %(sender)s::text[], %(correlation_id)s::text[], %(body)b::bytea[], %(received)b::bytea[],
        %(kind)s::text[], %(message_type)s::text[], %(created_by)s::text[], %(door)s::text[],
        %(left_out)s::text[], %(mrn)s::text[]
    ) WITH ORDINALITY AS given (
        id, source_system, event_code, default_code, canonical_code, state, encounter_id,
        patient_identifier, payload, event_fields, tells_payload, companions, occurred_at, received_at,
        message_uuid, identity, envelope_id, sender, correlation_id, body, received, kind,
        message_type, created_by, door, left_out, mrn, place)
), kept AS (
    INSERT INTO integration_event (
        id, source_system, event_code, default_code, canonical_code, state, encounter_id,
        patient_identifier, payload, event_fields, companions, occurred_at, received_at,
        message_uuid, identity, envelope_id, sender, correlation_id)
    SELECT id, source_system, event_code, default_code, canonical_code, state, encounter_id,
        patient_identifier, payload::jsonb,
        CASE WHEN tells_payload THEN event_fields::jsonb || jsonb_build_object('payload', payload::jsonb)
            ELSE event_fields::jsonb END,
        companions::jsonb, occurred_at, received_at, message_uuid, identity, envelope_id, sender,
        correlation_id
    FROM given
    ORDER BY identity
    ON CONFLICT (identity) DO NOTHING
    RETURNING id
), stored AS (
    INSERT INTO message (
        uuid, kind, created, created_by, modified, modified_by, src_description, dst_description, state,
        message_type, event_code, sent_at, is_processed, processed_at, correlation_id, door, left_out)
    SELECT message_uuid, kind, received_at, created_by, received_at, created_by, source_system, 'dhos',
        'accepted',
        message_type, event_code, occurred_at, body IS NULL, CASE WHEN body IS NULL THEN received_at END,
        correlation_id, door, left_out::jsonb
    FROM given JOIN kept USING (id) WHERE received IS NOT NULL
), stored_body AS (
    INSERT INTO message_body (message_uuid, created, received, content, charset)
    SELECT message_uuid, received_at, received, convert_from(received, 'UTF8'), 'utf-8'
    FROM given JOIN kept USING (id) WHERE received IS NOT NULL
), found_under AS (
    INSERT INTO message_identifier (identifier_type, value, message_uuid)
    SELECT pair.type, pair.value, given.message_uuid
    FROM given JOIN kept USING (id)
    CROSS JOIN LATERAL (VALUES ('MRN', mrn), ('Visit ID', encounter_id)) AS pair (type, value)
    WHERE received IS NOT NULL AND pair.value IS NOT NULL
    ON CONFLICT DO NOTHING
), queued AS (
    INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
    SELECT envelope_id, message_uuid, sender, %(routing_key)s::text, body, correlation_id, received_at
    FROM given JOIN kept USING (id) WHERE body IS NOT NULL
    ORDER BY place
    ON CONFLICT (id) DO NOTHING
)
SELECT id FROM kept
"""

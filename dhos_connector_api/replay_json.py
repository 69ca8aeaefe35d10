"""Replays a stored message that came as JSON: reads it again, then publishes its events again."""

from dataclasses import replace

from dhos_connector_api.api.kept_body import his_payload_check, shape_of
from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake import replay as replaying
from dhos_connector_api.intake import replay_his
from dhos_connector_api.intake.judge_his import MESSAGE_TYPE, judge
from dhos_connector_api.intake.receive_hl7 import Intake


def replay_json(
    database: Database, stored: replaying.Stored, intake: Intake, *, by: str
) -> replaying.Replayed:
    """Publish the message's events again; of a HIS payload first take what fits by now.

    Raises Conflict when the same payload was accepted as another message meanwhile.
    """
    accepted_now = False
    with database.transaction() as connection:
        if stored.message_type == MESSAGE_TYPE:
            judged = judge(
                stored.received,
                shape_of(stored.received, his_payload_check()),
                intake,
                created_by=stored.created_by,
                correlation_id=stored.correlation_id,
                message_uuid=stored.uuid,
            )
            accepted_now = replay_his.take(
                connection, judged, state=stored.state, received_at=stored.received_at, by=by
            )
        replayed = replaying.replay_events(connection, stored, intake.site)
        return replace(replayed, accepted_now=accepted_now)

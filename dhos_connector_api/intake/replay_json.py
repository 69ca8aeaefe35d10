"""Replays a stored message that came as JSON: reads it again, then publishes its events again."""

from dataclasses import replace

from sqlalchemy import Connection

from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake import judge_his, receive_webhook, replay_his
from dhos_connector_api.intake import replay as replaying
from dhos_connector_api.intake.receive_hl7 import Intake
from dhos_connector_api.messages import store
from dhos_connector_api.site.model import WEBHOOK_SOURCES
from dhos_connector_api.spec.kept_body import check_of, judged

#: The source of a webhook, by the type of its message.
_WEBHOOKS = {receive_webhook.MESSAGE_TYPE.format(source): source for source in WEBHOOK_SOURCES}


def replay_json(
    database: Database, stored: replaying.Stored, intake: Intake, *, by: str
) -> replaying.Replayed:
    """Publish the message's events again; of a HIS payload or a webhook first take what fits by now.

    Raises Conflict when the same was accepted as another message meanwhile.
    """
    accepted_now = False
    with database.transaction() as connection:
        if stored.message_type == judge_his.MESSAGE_TYPE:
            accepted_now = _take_payload(connection, stored, intake, by)
        elif stored.message_type in _WEBHOOKS:
            accepted_now = _take_webhook(connection, stored, _WEBHOOKS[stored.message_type], by)
        replayed = replaying.replay_events(connection, stored, intake.site)
        return replace(replayed, accepted_now=accepted_now)


def _take_payload(connection: Connection, stored: replaying.Stored, intake: Intake, by: str) -> bool:
    received = judged(
        stored.received,
        check_of("post_his_patient_data"),
        lambda shape: judge_his.judge(
            stored.received,
            shape,
            intake,
            created_by=stored.created_by,
            correlation_id=stored.correlation_id,
            message_uuid=stored.uuid,
        ),
    )
    return replay_his.take(connection, received, state=stored.state, received_at=stored.received_at, by=by)


def _take_webhook(connection: Connection, stored: replaying.Stored, source: str, by: str) -> bool:
    """Under the name it was signed with, if there was one."""
    row = store.get(connection, stored.uuid)
    received = judged(
        stored.received,
        check_of(f"post_{source}_webhook"),
        lambda shape: receive_webhook.receive(
            stored.received,
            shape,
            source,
            signed_id=row["message_control_id"] if row else None,
            correlation_id=stored.correlation_id,
            message_uuid=stored.uuid,
        ),
    )
    return replay_his.take_webhook(
        connection, received, state=stored.state, received_at=stored.received_at, by=by
    )

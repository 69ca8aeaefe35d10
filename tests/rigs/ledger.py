"""A sender that keeps a ledger, and a platform that keeps what arrived: the two must agree."""

import base64
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import pika
import requests

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY
from dhos_connector_api.auth import jwt
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.hl7v2.read import read
from tests.builders.hl7 import adt
from tests.builders.rows import INTERNAL_KEY, ISSUER
from tests.rigs.waiting import eventually

QUEUE = "patients"


def token(*scopes: str) -> str:
    """An internal token for an hour; it may send and read messages where no scopes are named."""
    issuer = jwt.Issuer("internal", ISSUER, (INTERNAL_KEY,))
    return jwt.issue(
        issuer,
        audience=ISSUER,
        scopes=scopes or ("write:hl7_message", "read:hl7_message"),
        now=clock.now(),
        lifetime=timedelta(hours=1),
    )


@dataclass
class Sender:
    """One EPR: sends a message, waits for its ACK, and only then sends the next."""

    facility: str
    acknowledged: list[str] = field(default_factory=list)  # uuids as answered, in order
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {token()}"

    def offer(self, url: str, raw: bytes) -> bool:
        """Post `raw` once; True when it was acknowledged. Anything but AA, 503 or silence is a failure."""
        body = {"type": "HL7v2", "body": base64.b64encode(raw).decode()}
        try:
            answer = self.session.post(f"{url}/dhos/v1/message", json=body, timeout=15)
        except requests.ConnectionError:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 200, answer.text
        msa = read(base64.b64decode(answer.json()["body"])).first("MSA")
        assert msa is not None
        assert (msa.value(1), msa.value(2)) == ("AA", read(raw).control_id)
        self.acknowledged.append(answer.json()["uuid"])
        return True

    def __del__(self) -> None:
        self.session.close()

    def next_message(self) -> bytes:
        """A new message of this sender."""
        return adt("A08", MSH_4=self.facility)


class Acknowledged(Protocol):
    """A sender's ledger: the uuids of its acknowledged messages, in order."""

    acknowledged: list[str]


class Platform:
    """What consumes the actions: a queue bound to both keys, read in order."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self.ids: dict[str, str] = {}  # message uuid -> message_id
        self.order: list[str] = []  # message uuids by first delivery
        with self._connection() as connection:
            channel = connection.channel()
            channel.exchange_declare("dhos", "topic", durable=True)
            channel.queue_declare(QUEUE, durable=True)
            for key in (LEGACY_ROUTING_KEY, EVENT_ROUTING_KEY):
                channel.queue_bind(QUEUE, "dhos", key)

    def _connection(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(self._address.parameters("platform"))

    def collect(self) -> bool:
        """Take everything that is in the queue now; True when anything has arrived, now or before."""
        with self._connection() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(QUEUE, auto_ack=True)
                if method is None:
                    return bool(self.order)
                uuid = json.loads(body)["dhos_connector_message_uuid"]
                if uuid not in self.ids:
                    self.order.append(uuid)
                # Delivered twice is allowed, under another id it is not.
                assert self.ids.setdefault(uuid, properties.message_id) == properties.message_id

    def agree(self, *senders: Acknowledged, seconds: float = 40) -> None:
        """Wait until everything acknowledged has arrived; then: nothing else did, and in order."""

        def complete() -> bool:
            self.collect()
            return all(uuid in self.ids for sender in senders for uuid in sender.acknowledged)

        eventually(complete, seconds=seconds)
        for sender in senders:
            mine = set(sender.acknowledged)
            assert [uuid for uuid in self.order if uuid in mine] == sender.acknowledged
        assert set(self.order) == {uuid for sender in senders for uuid in sender.acknowledged}
        assert len(set(self.ids.values())) == len(self.ids)

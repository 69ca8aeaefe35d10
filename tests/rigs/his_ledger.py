"""A HIS that keeps a ledger of what was answered 200, and a platform that applies each event once."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pika
import requests

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.broker.address import BrokerAddress
from tests.builders.his import HIS_SECRET, WRITE_HIS, payload, raw_of, signed_headers, stay, visit, webhook
from tests.rigs.ledger import token
from tests.rigs.waiting import eventually

QUEUE = "journeys"
PATIENT_DATA = "/api/integrations/his-patient-data/"
WEBHOOK = "/api/v1/webhooks/his/events"
#: An event as the HIS knows it: encounter and code.
Told = tuple[str, str]


@dataclass
class HisSender:
    """One HIS: sends requests that `new` makes, and sends the same again until it is answered 200."""

    new: "Callable[[], Request]"
    acknowledged: list[Told] = field(default_factory=list)  # answered 200, so promised
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {token(WRITE_HIS)}"

    def next_message(self) -> "Request":
        """A request about somebody nobody has heard of."""
        return self.new()

    def offer(self, url: str, request: "Request") -> bool:
        """Post once; True when it was answered 200. Anything but 200, 503 or silence is a failure."""
        try:
            answer = self.session.post(
                url + request.path, data=request.raw, headers=request.headers, timeout=15
            )
        except requests.ConnectionError:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 200, answer.text
        self.acknowledged += [each for each in request.told if each not in self.acknowledged]
        return True

    def __del__(self) -> None:
        self.session.close()


@dataclass(frozen=True)
class Request:
    """One request of a HIS, and the events it tells of."""

    path: str
    raw: bytes
    headers: dict[str, str]
    told: tuple[Told, ...]


def new_patient(**changes: Any) -> Request:
    """A payload of a patient nobody has heard of, with two visits."""
    entry = stay(**changes)
    told = ("HIS_ADMITTED", "CONSULTATION", "DOCTOR_VISITED")
    value = payload(entry, visits=[visit("Consultation"), visit("Doctor Visited")])
    headers = {"Content-Type": "application/json"}
    return Request(PATIENT_DATA, raw_of(value), headers, tuple((entry["AdmissionID"], code) for code in told))


def new_webhook() -> Request:
    """A signed webhook about a visit nobody has heard of."""
    value = webhook()
    raw = raw_of(value)
    return Request(WEBHOOK, raw, signed_headers(raw, HIS_SECRET), ((value["visit_id"], "VISIT_STARTED"),))


class HisPlatform:
    """A consumer of events that records each message_id with its effect, so that it applies it once."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self.effects: Counter[Told] = Counter()
        self.applied: set[str] = set()
        with self._connection() as connection:
            channel = connection.channel()
            channel.exchange_declare("dhos", "topic", durable=True)
            channel.queue_declare(QUEUE, durable=True)
            channel.queue_bind(QUEUE, "dhos", EVENT_ROUTING_KEY)

    def _connection(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(self._address.parameters("journeys"))

    def collect(self) -> None:
        """Apply everything that is in the queue now."""
        with self._connection() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(QUEUE, auto_ack=True)
                if method is None:
                    return
                if properties.message_id not in self.applied:
                    self.applied.add(properties.message_id)
                    event = json.loads(body)["actions"][-1]["data"]
                    self.effects[event["encounter_id"], event["event_code"]] += 1

    def agree(self, *senders: HisSender, seconds: float = 40) -> None:
        """Wait until everything promised has had its effect; then: once each, and nothing else has."""
        promised = {each for sender in senders for each in sender.acknowledged}

        def complete() -> bool:
            self.collect()
            return promised <= set(self.effects)

        eventually(complete, seconds=seconds)
        assert self.effects == Counter(promised)

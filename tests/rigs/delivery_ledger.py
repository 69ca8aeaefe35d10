"""Hospitals that behave by a plan, message by message, and the ledger that says what has to come of it."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries.rules.outcome import Accepted, Outgoing
from dhos_connector_api.deliveries.transports.epr import EprTransport
from dhos_connector_api.deliveries.transports.mirth import MirthTransport
from fakes.epr import FakeEpr
from fakes.mirth import FakeMirth, key_of
from tests.builders.delivery import put
from tests.rigs.waiting import eventually

#: Seconds that the fakes' 429 asks for.
RETRY_AFTER = 17.0
#: Seconds until we give up one who hangs, and everybody else. The request has to be on its way before that,
#: from 32 threads on processors that other tests use too.
_IMPATIENT, _PATIENT = 2.0, 60.0


@dataclass(frozen=True)
class Meaning:
    """How an attempt ends that is met with a behaviour, and whether the message was taken."""

    outcome: str
    taken: bool = False


_BOTH = {
    "accept": Meaning("delivered", taken=True),
    "lost": Meaning("ambiguous", taken=True),
    "reset": Meaning("ambiguous"),
    "hang": Meaning("ambiguous"),
    "500": Meaning("transient"),
    "429": Meaning("transient"),
    "301": Meaning("permanent"),
    "410": Meaning("permanent"),
}
EPR = _BOTH | {"AE": Meaning("permanent"), "AR": Meaning("permanent"), "other": Meaning("ambiguous")}
MIRTH = _BOTH | {
    "client fault": Meaning("permanent"),
    "server fault": Meaning("transient"),
    "not soap": Meaning("ambiguous"),
}


@dataclass
class Hospital:
    """A fake, and the plan for each delivery to it: its behaviour at each attempt, the last repeated."""

    name: str
    fake: FakeEpr | FakeMirth
    transport: Callable[[Outgoing], Accepted]
    meanings: Mapping[str, Meaning]
    plans: dict[UUID, list[str]] = field(default_factory=dict)
    sent: Counter[UUID] = field(default_factory=Counter)

    def queue(self, database: Database, plans: Sequence[list[str]], at: datetime) -> None:
        """Queue a message for each of the plans."""
        with database.transaction() as connection:
            for number, plan in enumerate(plans):
                key, body = self._message(number)
                self.fake.behaviours.give(plan, key=key)
                uuid = put(connection, at=at, destination=self.name, body=body.encode(), control_id=key)
                self.plans[uuid] = plan

    def _message(self, number: int) -> tuple[str, str]:
        """A key, and the message that the fake knows by it."""
        if self.name == "mirth":
            document = f"<ClinicalDocument><title>Résumé {number}</title></ClinicalDocument>"
            return key_of(document), document
        return f"K{number}", f"MSH|^~\\&|DHOS||EPR||2026||ORU^R01^ORU_R01|K{number}|P|2.6\rPID|1||Zoë"

    def send(self, outgoing: Outgoing) -> Accepted:
        """Send by the transport; patience ends soon where the fake is going to hang."""
        plan, number = self.plans[outgoing.delivery_uuid], self.sent[outgoing.delivery_uuid]
        self.sent[outgoing.delivery_uuid] += 1
        hangs = plan[min(number, len(plan) - 1)] == "hang"
        try:
            return self.transport(replace(outgoing, seconds=_IMPATIENT if hangs else _PATIENT))
        finally:
            if hangs:
                eventually(lambda: self._was_reached(outgoing, number + 1))

    def _was_reached(self, outgoing: Outgoing, times: int) -> bool:
        """Whether the fake has seen so many attempts: one that we gave up soon may still be on its way."""
        return len(self.fake.behaviours.attempts(outgoing.control_id)) == times

    def met(self, uuid: UUID, most: int) -> list[str]:
        """The behaviours that a delivery has to meet, at most so many."""
        found: list[str] = []
        for number in range(most):
            plan = self.plans[uuid]
            found.append(plan[min(number, len(plan) - 1)])
            if self.meanings[found[-1]].outcome in ("delivered", "permanent"):
                break
        return found


@contextmanager
def epr() -> Iterator[Hospital]:
    """An EPR service adapter."""
    name, key = "http://epr.test/", secrets.token_hex(64)
    with FakeEpr(("127.0.0.1", 0), name, key) as fake:
        issuer = Issuer("epr_adapter", name, (key,))
        send = EprTransport(fake.url, issuer, "write:hl7_message", timedelta(minutes=5))
        yield Hospital("epr", fake, send, EPR)


@contextmanager
def mirth() -> Iterator[Hospital]:
    """A Mirth."""
    user, password = "connector", secrets.token_hex(16)
    with FakeMirth(("127.0.0.1", 0), user, password) as fake:
        yield Hospital("mirth", fake, MirthTransport(fake.base, user, password), MIRTH)


@dataclass(frozen=True)
class Entry:
    """One delivery as the database and the fake have it in the end."""

    taken: int
    requests: list[tuple[str, str]]  # behaviour and X-Request-ID of each attempt that reached the fake
    state: str
    ambiguous: int
    correlation_id: str
    received: bytes
    control_id: str
    message_state: str
    is_processed: bool
    outcomes: list[str]
    started: list[datetime]


def entries(database: Database, hospital: Hospital) -> dict[UUID, Entry]:
    """The ledger: every delivery, by its uuid."""
    query = text("""
        SELECT d.uuid, d.state, d.ambiguous, d.correlation_id, b.received, m.message_control_id,
            m.state, m.is_processed, array_agg(a.outcome ORDER BY a.number),
            array_agg(a.started_at ORDER BY a.number)
        FROM delivery d JOIN message m ON m.uuid = d.message_uuid
        JOIN message_body b ON b.message_uuid = m.uuid JOIN delivery_attempt a ON a.delivery_uuid = d.uuid
        GROUP BY d.uuid, b.received, m.uuid
    """)
    taken = Counter(hospital.fake.taken)
    requests: dict[str, list[tuple[str, str]]] = {}
    for each in hospital.fake.behaviours.attempts():
        requests.setdefault(each.key, []).append((each.behaviour, each.request_id))
    with database.statements() as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    return {
        row[0]: Entry(taken[bytes(row.received).decode()], requests[row.message_control_id], *row[1:])
        for row in rows
    }

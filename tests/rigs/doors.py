"""The ways in whose answers are a promise: who sends there, what carries on, what has to come of it.

`WEB_POINTS` and `RELAY_POINTS` are the table that `tests/edges/test_promise.py` goes through: every way in,
killed at each of its worst moments.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import DatabaseAddress
from fakes.epr import FakeEpr
from tests.builders import wards
from tests.builders.his import HIS_SECRET, SITE_FILE
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY
from tests.rigs.his_ledger import HisPlatform, HisSender, Request, Told, new_patient, new_webhook
from tests.rigs.ledger import Platform, Sender
from tests.rigs.load import Offers
from tests.rigs.processes import Process, Web, environment, rabbitmq

KILL = "tests.rigs.kill_points"
_OURS = "dhos_connector_api"


@dataclass(frozen=True)
class Door:
    """One way in. `carrier` is the command that carries on from there, `agree` asserts that all is well."""

    environ: dict[str, str]
    folder: Path
    senders: Sequence[Offers]
    carrier: str
    agree: Callable[[], None]
    #: Entries in a sender's ledger for each of its messages.
    each: int = 1

    def web(self, *point: str) -> Web:
        """Start a web process; with a point and a number, one that dies there."""
        module = (KILL, *point, "web") if point else (_OURS, "web")
        return Web(self.environ, self.folder, module)

    def several(self, *, port: int | None = None) -> Web:
        """Start two web processes below a supervisor."""
        return Web(self.environ | {"WEB_PROCESSES": "2"}, self.folder, (_OURS, "serve"), port=port)

    def carry(self, *point: str) -> Process:
        """Start the carrier; with a point and a number, one that dies there."""
        module = (KILL, *point) if point else (_OURS,)
        return Process([*module, self.carrier], self.environ, self.folder / f"{self.carrier}.log")


Open = Callable[..., AbstractContextManager[Door]]


@contextmanager
def hl7(
    database: DatabaseAddress, broker: BrokerAddress, folder: Path, *, senders: int = 1
) -> Iterator[Door]:
    """HL7 over HTTP, carried on by the relay."""
    platform, feeds = Platform(broker), [Sender(f"FEED{number}") for number in range(senders)]
    environ = environment(database, **rabbitmq(broker))
    yield Door(environ, folder, feeds, "relay", lambda: platform.agree(*feeds))


def _his(*kinds: Callable[[], Request], each: int = 1) -> Open:
    """HIS payloads, webhooks or both in turn, carried on by the relay; what is stored has to agree too."""

    @contextmanager
    def open_(
        database: DatabaseAddress, broker: BrokerAddress, folder: Path, *, senders: int = 1
    ) -> Iterator[Door]:
        platform = HisPlatform(broker)
        sending = [HisSender(kinds[number % len(kinds)]) for number in range(senders)]
        site = folder / "site.toml"
        site.write_text(SITE_FILE)
        environ = environment(
            database, **rabbitmq(broker), SITE_CONFIG=str(site), HIS_WEBHOOK_SECRET=HIS_SECRET
        )

        def agree() -> None:
            platform.agree(*sending)
            assert _events(database) == platform.effects

        yield Door(environ, folder, sending, "relay", agree, each)

    return open_


def _events(database: DatabaseAddress) -> Counter[Told]:
    """The events that are kept, each with its encounter and its code."""
    engine = create_engine(database.url())
    with engine.connect() as connection:
        found = connection.execute(text("SELECT encounter_id, canonical_code FROM integration_event"))
        kept = Counter((encounter, code) for encounter, code in found)
    engine.dispose()
    return kept


payloads = _his(new_patient, each=3)
webhooks = _his(new_webhook)
his = _his(new_patient, new_webhook)


@contextmanager
def observations(
    database: DatabaseAddress, _broker: BrokerAddress, folder: Path, *, senders: int = 1
) -> Iterator[Door]:
    """Observation sets for the EPR, carried on by the delivery process."""
    with FakeEpr(("127.0.0.1", 0), ADAPTER_ISSUER, ADAPTER_KEY) as epr:
        sending = [wards.Ward() for _ in range(senders)]
        environ = wards.sending(database, epr.url, folder)
        yield Door(environ, folder, sending, "deliver", lambda: wards.agree(database, epr, sending))


@dataclass(frozen=True)
class Point:
    """A worst moment at a way in; the process dies at the `call`-th time it gets there."""

    door: Open
    name: str
    call: int


#: A message is at the door, and the web process dies.
WEB_POINTS = (
    Point(hl7, "read, not stored", 4),
    Point(hl7, "committed, not answered", 4),
    Point(payloads, "HIS payload read, not stored", 4),
    Point(payloads, "HIS payload stored, not committed", 4),
    Point(payloads, "committed, not answered", 4),
    Point(webhooks, "webhook verified, not stored", 4),
    Point(webhooks, "webhook committed, not counted", 4),
    Point(webhooks, "committed, not answered", 4),
    Point(observations, "queued, not committed", 3),
    Point(observations, "queued, not answered", 3),
)
#: What was taken is on its way, and the relay dies.
RELAY_POINTS = (
    Point(hl7, "published, not confirmed", 1),
    Point(hl7, "confirmed, not settled", 1),
    Point(his, "published, not confirmed", 1),
    Point(his, "confirmed, not settled", 1),
)


def cases(points: Sequence[Point]) -> list[Any]:
    """Return these as parameters of a test."""
    return [pytest.param(each.door, each.name, each.call, id=_id(each)) for each in points]


def _id(point: Point) -> str:
    names = {hl7: "HL7", payloads: "HIS payload", webhooks: "webhook", his: "HIS", observations: "ORU"}
    return f"{names[point.door]}: {point.name}"

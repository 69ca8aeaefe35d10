"""Wards that send observation sets and corrections of them, and the ledger of what an EPR took of them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import create_engine, text

from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.hl7v2.read import read_text
from fakes.epr import FakeEpr
from tests.builders.oru import data, seen
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY
from tests.rigs.ledger import token
from tests.rigs.processes import environment
from tests.rigs.waiting import eventually

#: Versions that a ward sends of every set: a correction has the next one.
VERSIONS = 2
_SITE = """
[send_config]
generate_oru_messages = true

[deliveries.epr]
schedule = [{pauses}]
timeout = {timeout}
grace = 2
at_once = {at_once}
"""


def sending(
    database: DatabaseAddress, url: str, folder: Path, *, timeout: float = 2, at_once: int = 8
) -> dict[str, str]:
    """The environment of a Connector that sends observation sets to the EPR at `url`."""
    site = folder / "site.toml"
    pauses = ", ".join(["0.2"] * 100)
    site.write_text(_SITE.format(pauses=pauses, timeout=timeout, at_once=at_once))
    return environment(
        database,
        SITE_CONFIG=str(site),
        EPR_SERVICE_ADAPTER_URL_BASE=url,
        EPR_SERVICE_ADAPTER_ISSUER=ADAPTER_ISSUER,
        EPR_SERVICE_ADAPTER_HS_KEY=ADAPTER_KEY,
        WEB_THREADS="2",
    )


@dataclass(frozen=True)
class Observed:
    """One version of an observation set, and the request that sends it."""

    set_uuid: str
    version: int
    body: dict[str, Any]


@dataclass
class Ward:
    """Sends one version after the other, each until it is answered."""

    offered: Counter[tuple[str, int]] = field(default_factory=Counter)
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)
    last: Observed | None = None

    def __post_init__(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {token()}"

    def __del__(self) -> None:
        self.session.close()

    def next_message(self) -> Observed:
        """A set of its own, or the next version of the one before; the version is the heart rate."""
        again = self.last if self.last and self.last.version < VERSIONS else None
        version = again.version + 1 if again else 1
        same: dict[str, Any] = {"uuid": again.set_uuid} if again else {}
        content = data(seen("heart_rate", version), **same)
        action = {"name": "process_observation_set", "data": content}
        self.last = Observed(content["observation_set"]["uuid"], version, {"actions": [action]})
        return self.last

    def offer(self, url: str, message: Observed) -> bool:
        """Post it once; True when it was acknowledged. Anything but 204, 503 or silence is a failure."""
        key = message.set_uuid, message.version
        self.offered[key] += 1
        try:
            answer = self.session.post(f"{url}/dhos/v1/oru_message", json=message.body, timeout=15)
        except requests.ConnectionError:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 204, answer.text
        self.acknowledged.append(key)
        return True


def taken(epr: FakeEpr) -> list[tuple[str, int]]:
    """Set and version of every message that the EPR took, in order."""
    found = []
    for each in epr.taken:
        message = read_text(each, charset="utf-8")
        obr, (heart_rate, *_) = message.first("OBR"), message.all("OBX")
        assert obr is not None
        found.append((obr.value(3), int(heart_rate.value(5))))
    return found


@dataclass(frozen=True)
class Series:
    """What the database says of all deliveries of one set."""

    states: list[str]  # in the order in which they were queued
    ambiguous: int
    processed: list[bool]


def series(address: DatabaseAddress) -> dict[str, Series]:
    """What the database says, by set."""
    query = (
        "SELECT series, array_agg(d.state ORDER BY position), sum(ambiguous)::int,"
        " array_agg(is_processed ORDER BY position)"
        " FROM delivery d JOIN message m ON m.uuid = message_uuid GROUP BY series"
    )
    return {row[0]: Series(*row[1:]) for row in rows(address, query)}


def rows(address: DatabaseAddress, query: str) -> Sequence[Any]:
    """What the database answers."""
    engine = create_engine(address.url())
    try:
        with engine.connect() as connection:
            return connection.execute(text(query)).all()
    finally:
        engine.dispose()


def agree(address: DatabaseAddress, epr: FakeEpr, wards: Sequence[Ward], *, seconds: float = 60) -> None:
    """Wait until nothing is to be sent any more; then: all that was acknowledged was taken, in order.

    A message that was taken twice is marked ambiguous, or was posted twice; nothing is dead.
    """
    ends = {"delivered", "superseded"}
    eventually(
        lambda: {state for one in series(address).values() for state in one.states} <= ends, seconds=seconds
    )
    found, arrived = series(address), defaultdict[str, list[int]](list)
    for set_uuid, version in taken(epr):
        arrived[set_uuid].append(version)
    offered = sum([ward.offered for ward in wards], Counter[tuple[str, int]]())
    newest = dict(sorted(key for ward in wards for key in ward.acknowledged))
    assert set(newest) <= set(arrived) == set(found)
    for set_uuid, versions in arrived.items():
        one = found[set_uuid]
        posted = [offered[set_uuid, version] for version in range(1, VERSIONS + 1)]
        assert versions == sorted(versions)
        assert versions[-1] >= newest.get(set_uuid, 1)
        assert len(one.states) <= sum(posted)
        assert one.states[-1] == "delivered"
        assert one.processed == [state == "delivered" for state in one.states]
        assert len(versions) - one.states.count("delivered") <= one.ambiguous

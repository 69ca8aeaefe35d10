"""Deliveries over MLLP from end to end: real processes, killed for real; a receiver that keeps a ledger."""

from collections import Counter
from datetime import UTC
from pathlib import Path

import pytest

from dhos_connector_api import clock
from dhos_connector_api.app.mllp import create_mllp
from dhos_connector_api.app.outgoing import destinations
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.deliveries import send
from dhos_connector_api.deliveries.send import Outbound
from dhos_connector_api.deliveries.transports.mllp import MllpTransport
from dhos_connector_api.deliveries.transports.mllp_line import Receiver
from dhos_connector_api.errors import BadSetting, NotAvailableHere
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.mllp.answering import FrameAnswerer
from dhos_connector_api.site.model import Deliveries, DeliveryPolicy, SendConfig, Site
from tests.builders.delivery import Clock, deliverer, queue, states, work
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import Client, msa, serving
from tests.builders.oru import data
from tests.builders.rows import settings
from tests.rigs.mllp_receivers import Misbehaving, python_hl7, receiving
from tests.rigs.processes import Process, environment
from tests.rigs.waiting import eventually

_SITE = """
[deliveries.mllp]
timeout = "1s"
grace = "1s"
schedule = ["1s", "1s", "1s", "1s", "1s"]
"""


@pytest.fixture
def at() -> Clock:
    return Clock(clock.now())


@pytest.mark.slow
def test_a_delivery_process_killed_at_its_worst_moments_loses_nothing(
    database: Database, address: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / "site.toml").write_text(_SITE)
    number = 150
    for each in range(number):
        body = f"MSH|^~\\&|DHOS|DHOS|EPR|RBH|20260101||ORU^R01^ORU_R01|K{each}|P|2.6\rPID|1\r".encode()
        queue(database, at=clock.now(), destination="mllp", control_id=f"K{each}", body=body)
    with python_hl7() as server:
        environ = environment(
            address, EPR_MLLP_URL=f"mllp://127.0.0.1:{server.port}", SITE_CONFIG=str(tmp_path / "site.toml")
        )
        deaths = [("sent, not settled", 20), ("claimed, not sent", 20)] * 2
        for point, call in deaths:
            deadly = ["tests.rigs.kill_points", point, str(call), "deliver"]
            with Process(deadly, environ, tmp_path / "deliver.log") as process:
                assert process.popen.wait(60) == -9
        with Process(["dhos_connector_api", "deliver"], environ, tmp_path / "deliver.log") as last:
            eventually(lambda: states(database) == {"delivered": number}, seconds=60)
            assert last.stop() == 0
    arrived = Counter(server.taken)
    assert set(arrived) == {f"K{each}" for each in range(number)}
    assert sum(arrived.values()) == number + deaths.count(("sent, not settled", 20))
    assert server.connections == len(deaths) + 1


def mllp_outbound(*destinations: str) -> Outbound:
    site = Site(
        send_config=SendConfig(generate_oru_messages=True), deliveries=Deliveries(oru_destination="mllp")
    )
    return Outbound(site, UTC, None, frozenset(destinations))


def test_a_site_may_want_its_observation_sets_over_mllp(database: Database, at: Clock) -> None:
    with pytest.raises(NotAvailableHere, match="no MLLP receiver"):
        send.observation_set(data(), mllp_outbound("epr"), created_by=None, correlation_id="r")
    sending = send.observation_set(data(), mllp_outbound("epr", "mllp"), created_by=None, correlation_id="r")
    assert sending is not None
    with database.transaction() as connection:
        send.keep(connection, sending)
    epr = Misbehaving()
    with receiving(epr) as port:
        transport = MllpTransport("mllp", Receiver("127.0.0.1", port))
        assert work(deliverer(database, transport, Clock(clock.now()), name="mllp")) == 1
        transport.close()
    assert epr.taken == [sending.row.message_control_id]
    assert states(database) == {"delivered": 1}


@pytest.mark.parametrize("charset", ["utf-8", "8859/1"])
def test_an_application_acknowledgement_travels_by_itself(database: Database, charset: str) -> None:
    desk = FrameAnswerer(database, lambda: INTAKE)
    raw = adt(
        version="2.5", MSH_3="EPR", MSH_15="AL", MSH_16="AL", control_id="Ö1", MSH_18=charset,
        codec="latin-1" if charset == "8859/1" else "utf-8",
    )  # fmt: skip
    with serving(desk.answer, application_ack="delivery") as running, Client(running.port) as client:
        assert [msa(client.ask(raw)) for _ in range(2)] == [("CA", "Ö1")] * 2
    assert states(database) == {"superseded": 1, "waiting": 1}, "a repeat asks for the same one again"
    feed = Misbehaving(["hang"])
    with receiving(feed) as port:
        transport = MllpTransport("mllp", Receiver("127.0.0.1", port))
        assert work(deliverer(database, transport, Clock(clock.now()), name="mllp")) == 1
        eventually(lambda: feed.bodies)
        transport.close()
    ack = read(feed.bodies[0])
    assert (msa(feed.bodies[0]), ack.msh.value(15), ack.msh.value(16)) == (("AA", "Ö1"), "NE", "NE")
    assert (ack.event_code, ack.msh.value(5), ack.control_id) == ("ACK_A01", "EPR", feed.taken[0])
    assert ack.control_id not in {"", "Ö1"}
    assert states(database) == {"superseded": 1, "delivered": 1}


def test_an_acknowledgement_in_utf_16_goes_out_in_utf_8() -> None:
    text = "MSH|^~\\&|A|B|C|D|2026||ACK|X1|P|2.5|||||||UNICODE\rMSA|AR|Ж1\r"
    sending = send.acknowledgement(
        text.encode("utf-16"), charset="utf-16", created_by=None, correlation_id="r"
    )
    assert "MSA|AR|Ж1\r".encode() in sending.row.received


def test_acknowledgements_by_delivery_need_a_receiver(tmp_path: Path) -> None:
    file = tmp_path / "listeners.toml"
    file.write_text('[[listener]]\nname = "a"\nport = 0\napplication_ack = "delivery"\n')
    with pytest.raises(BadSetting, match="EPR_MLLP_URL is missing"):
        create_mllp(settings(mllp_listeners=str(file)), shared=False)


def test_destinations_know_the_receiver_and_the_sites_policy(tmp_path: Path) -> None:
    site = Site(deliveries=Deliveries(mllp=DeliveryPolicy(timeout=7, at_once=1)))
    (found,) = destinations(settings(epr_mllp_url="mllps://epr.test:2575"), lambda: site)
    assert (found.name, found.policy().timeout) == ("mllp", 7)
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(BadSetting, match="EPR_MLLP_CA"):
        destinations(
            settings(epr_mllp_url="mllps://epr.test:2575", epr_mllp_ca=str(tmp_path / "none.pem")),
            lambda: site,
        )

"""While the trustomer service is first asked, whoever comes through any door waits for it, 2 s at most."""

import json
import socket
import threading
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dhos_connector_api.app import incoming
from dhos_connector_api.db.engine import Database
from dhos_connector_api.mllp.answering import FrameAnswerer
from dhos_connector_api.site.source import FIRST_WAIT
from tests.builders.api import WRITE, api, ask, internal
from tests.builders.his import SITE_FILE, payload
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa, serving
from tests.builders.rows import settings
from tests.rigs.wire import Wire, hang, whole_request

TOKEN = internal(WRITE, "write:his")
#: Requests at each door; more than a web process has threads.
AT_ONCE = 6


def _late(connection: socket.socket) -> None:
    """Answer after half a second."""
    whole_request(connection)
    threading.Event().wait(0.5)
    content = json.dumps(tomllib.loads(SITE_FILE)).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


def _at_every_door(database: Database, trustomer: Wire) -> tuple[list[int], list[str | None]]:
    """What all were answered who came at once: statuses over HTTP, MSA-1 over MLLP (None: no answer)."""
    environ = {"DHOS_TRUSTOMER_API_HOST": trustomer.url, "CUSTOMER_CODE": "ABC", "POLARIS_API_KEY": "k"}
    intake = incoming.intake(settings(**environ))
    app = api(database, changes={"intake": intake})

    def post_hl7(_: int) -> int:
        headers = {"Content-Type": "application/hl7-v2"}
        return ask(app, "POST", "/dhos/v1/message", token=TOKEN, content=adt(), headers=headers).status_code

    def post_his(_: int) -> int:
        path = "/api/integrations/his-patient-data/"
        return ask(app, "POST", path, token=TOKEN, json=payload()).status_code

    with serving(FrameAnswerer(database, intake).answer) as server, ThreadPoolExecutor(32) as pool:

        def send(_: int) -> str | None:
            with Client(server.port) as client:
                try:
                    return msa(client.ask(adt()))[0]
                except OSError:
                    return None

        doors: list[Callable[[int], int]] = [post_hl7, post_his]
        posted = [pool.submit(door, number) for door in doors for number in range(AT_ONCE)]
        sent = list(pool.map(send, range(AT_ONCE)))
        return [each.result() for each in posted], sent


def test_all_who_come_before_the_first_answer_are_served(database: Database) -> None:
    with Wire(_late) as trustomer:
        statuses, codes = _at_every_door(database, trustomer)
        assert trustomer.connections == 1
    assert set(statuses) == {200}
    assert set(codes) == {"AA"}


def test_without_an_answer_all_are_told_so_after_two_seconds(database: Database) -> None:
    began = time.monotonic()
    with Wire(hang()) as trustomer:
        statuses, codes = _at_every_door(database, trustomer)
    assert FIRST_WAIT * 0.9 < time.monotonic() - began < FIRST_WAIT + 4
    assert set(statuses) == {503}
    assert set(codes) == {None}

"""Peers of the MLLP door: how many there may be, slow and silent ones, and how it takes its leave of them."""

import socket
import struct
import threading
from collections.abc import Sequence
from ipaddress import ip_network

import psutil
import pytest

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.framing import framed
from dhos_connector_api.mllp.answering import Answer, FrameAnswerer, ReceivedFrame
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import Client, Memory, Running, msa, serving
from tests.rigs.waiting import eventually


def _limits(running: Running) -> tuple[Client, Client]:
    first, second = Client(running.port), Client(running.port)
    assert msa(first.ask(adt()))[0] == "AA"
    return first, second


@pytest.mark.parametrize("limit", ["connections", "connections_per_peer"])
def test_connections_are_counted(limit: str) -> None:
    with serving(Memory().answer, **{limit: 2}) as running:
        first, second = _limits(running)
        with Client(running.port) as third:
            assert third.rest() == b""
        first.close()

        def again() -> bool:
            with Client(running.port) as client:
                return msa(client.ask(adt()))[0] == "AA"

        assert eventually(again)
        second.close()


def test_only_allowed_networks_are_let_in() -> None:
    networks = (ip_network("10.0.0.0/8"),)
    with serving(Memory().answer, networks=networks) as running, Client(running.port) as client:
        assert client.rest() == b""


def _reset(client: Client) -> None:
    """End a connection without a word, as a machine does that has crashed and come back."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_five_hundred_slow_and_half_open_peers_do_not_harm_honest_ones() -> None:
    memory = Memory()
    with serving(memory.answer, frame_timeout=60, largest_message=200_000, most_held=20_000_000) as running:
        slow = [Client(running.port) for _ in range(500)]
        for number, peer in enumerate(slow):
            if number % 3 == 0:
                peer.send(b"\x0bMSH|")
            elif number % 3 == 1:
                peer.send(b"\x0b" + b"x" * 150_000)
        with Client(running.port) as honest:
            for turn in range(50):
                slow[turn * 3].send(b"x")
                assert msa(honest.ask(adt()))[0] == "AA"
            assert running.call(lambda: running.server.held) <= 20_000_000 + 300_000
        for peer in slow[:100]:
            _reset(peer)
        for peer in slow[100:]:
            peer.close()
    assert len(memory.stored) == 50


def test_frames_of_peers_that_have_gone_take_no_memory_while_nothing_can_be_stored() -> None:
    begun, released = threading.Event(), threading.Event()

    def answer(group: Sequence[ReceivedFrame]) -> Sequence[Answer | None]:
        begun.set()
        released.wait(60)
        return [None] * len(group)

    frame, process = framed(adt() + b"NTE|" + b"x" * 4_000_000 + b"\r"), psutil.Process()
    with serving(answer, most_held=30_000_000) as running:
        first = Client(running.port)
        first.send(frame)
        assert begun.wait(10)
        before = process.memory_info().rss
        for _ in range(50):
            peer = Client(running.port)
            peer.send(frame)
            assert eventually(lambda: running.call(lambda: running.server.held) > len(frame) * 3 // 2)
            _reset(peer)
            assert eventually(lambda: running.call(lambda: running.server.held) < len(frame) * 3 // 2)
        assert process.memory_info().rss - before < 60_000_000
        released.set()
        first.close()


def test_draining_answers_what_is_in_hand_then_leaves(database: Database) -> None:
    with serving(FrameAnswerer(database, lambda: INTAKE).answer) as running:
        idle, busy = Client(running.port), Client(running.port)
        assert msa(idle.ask(adt()))[0] == "AA"
        busy.send(b"".join(framed(adt()) for _ in range(3)))
        busy.receive()
        running.drain()
        assert idle.rest() == b""
        assert busy.rest().count(b"\rMSA|AA|") <= 2
        with pytest.raises(ConnectionError):
            Client(running.port)
        idle.close()
        busy.close()


def test_a_message_that_is_never_stored_does_not_hold_up_the_end() -> None:
    released = threading.Event()

    def answer(group: Sequence[ReceivedFrame]) -> Sequence[Answer | None]:
        released.wait(30)
        return [None] * len(group)

    with serving(answer) as running:
        client = Client(running.port)
        client.send(framed(adt()))
        eventually(lambda: running.server.held > 0)
        running.drain(0.2)
        assert client.rest() == b""
        released.set()
        client.close()

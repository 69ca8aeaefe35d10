"""HTTP servers that are slow or break off: one deadline ends it, and what was sent stays in doubt."""

import socket
import struct
import threading

import pytest

from dhos_connector_api.deliveries.rules.outcome import DeliveryFailed, Kind
from dhos_connector_api.deliveries.transports import http
from tests.rigs.wire import Talk, Wire, hang, says, whole_request


def ask(url: str, *, seconds: float = 10, body: bytes = b"message") -> http.Reply:
    return http.request("POST", url, seconds=seconds, headers={}, body=body)


def failure(talk: Talk, *, seconds: float = 10, body: bytes = b"message") -> DeliveryFailed:
    """How a request fails against a server that behaves like this."""
    with Wire(talk) as server, pytest.raises(DeliveryFailed) as caught:
        ask(server.url, seconds=seconds, body=body)
    return caught.value


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def trickle(begin: bytes, piece: bytes) -> Talk:
    """A server that never stops saying a little, which keeps every socket timeout from ending."""

    def talk(connection: socket.socket) -> None:
        whole_request(connection)
        connection.sendall(begin)
        hung_up = threading.Event()
        while not hung_up.wait(0.02):
            connection.sendall(piece)

    return talk


SLOW: dict[str, Talk] = {
    "nothing": hang(),
    "half a status line": hang(b"HTTP/1.1 20"),
    "headers without an end": hang(b"HTTP/1.1 200 OK\r\nContent-"),
    "headers alone": hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
    "headers alone, no length": hang(b"HTTP/1.1 200 OK\r\n\r\n"),
    "half a body": hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
    "half a chunk": hang(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"),
    "trickling status line": trickle(b"HTTP/1.1 200 ", b"O"),
    "trickling headers": trickle(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "trickling body": trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a"),
    "trickling body, no length": trickle(b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
    "trickling chunks": trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "provisional answers for ever": trickle(b"", b"HTTP/1.1 102 Wait\r\n\r\n"),
    "continue for ever": trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("name", SLOW)
def test_one_deadline_ends_whatever_is_slow(name: str) -> None:
    failed = failure(SLOW[name], seconds=0.4)
    assert (failed.kind, failed.text) == (Kind.AMBIGUOUS, "sent, but not answered (TimeoutError)")


def test_the_deadline_also_ends_sending() -> None:
    given_up = threading.Event()

    def takes_nothing(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        given_up.wait(20)

    with Wire(takes_nothing) as server:
        with pytest.raises(DeliveryFailed) as caught:
            ask(server.url, seconds=0.4, body=b"x" * 30_000_000)
        given_up.set()
    assert caught.value.kind is Kind.AMBIGUOUS


def cut(connection: socket.socket) -> None:
    """Answer in part, then reset."""
    whole_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nabc")
    reset(connection)


def reset_at_once(connection: socket.socket) -> None:
    whole_request(connection)
    reset(connection)


BROKEN: dict[str, Talk] = {
    "reset after the request": reset_at_once,
    "closed after the request": says(b""),
    "no HTTP": says(b"\x00\x01\x02 what\r\n\r\n"),
    "a status that is none": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a status beyond": says(b"HTTP/1.1 99999 OK\r\n\r\n"),
    "only a provisional answer": says(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "switching protocols": says(b"HTTP/1.1 101 Switching\r\n\r\n\x00\x01"),
    "a body shorter than its length": says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
    "chunks without an end": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    "chunks of nonsense": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n"),
    "too many headers": says(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n"),
    "a header too long": says(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n"),
    "an answer too long": says(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000),
    "an answer too long, no length": says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 9_000_000),
    "reset in the body": cut,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_sent_and_not_answered_whole_is_ambiguous(name: str) -> None:
    failed = failure(BROKEN[name])
    assert failed.kind is Kind.AMBIGUOUS
    assert failed.http_status is None

"""HTTP as clients really speak it, over a socket: chunks, lies about lengths, bodies without an end."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from dhos_connector_api.http import connection
from tests.builders.api import WRITE, api, internal, message_body, serving
from tests.builders.hl7 import adt

LIMIT = 100_000
ORU = "/dhos/v1/oru_message"
#: A body that fits the limit, and is refused only after it was read as a whole.
BODY = json.dumps({"type": "HL7v2", "padding": "x" * 50_000}).encode()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server without a database: a request that is read to its end is answered 400 or 503."""
    with serving(api(MAX_BODY_BYTES=str(LIMIT))) as found:
        yield found


class Client:
    """A connection on which bytes are sent as they are."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.answers = self.socket.makefile("rb")

    def start(self, *headers: str, path: str = "/dhos/v1/message", method: str = "POST") -> None:
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: connector.test",
            f"Authorization: Bearer {internal(WRITE)}",
        ]
        lines += ["Content-Type: application/json", *headers, "", ""]
        self.send("\r\n".join(lines).encode())

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, body; status 0 when the server hung up."""
        line = self.answers.readline()
        if not line:
            return 0, {}, b""
        headers = {}
        while header := self.answers.readline().strip():
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        return int(line.split()[1]), headers, self.answers.read(int(headers.get("content-length", 0)))

    def close(self) -> None:
        self.answers.close()
        self.socket.close()


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    """One connection."""
    found = Client(port)
    yield found
    found.close()


def chunk(raw: bytes) -> bytes:
    return f"{len(raw):x}\r\n".encode() + raw + b"\r\n"


def test_a_chunked_body_is_read_like_any_other(client: Client) -> None:
    body = json.dumps(message_body(adt())).encode()
    client.start("Transfer-Encoding: chunked")
    for at in range(0, len(body), 100):
        client.send(chunk(body[at : at + 100]))
    client.send(b"0\r\n\r\n")
    assert client.answer()[0] == 503


def test_a_connection_lives_on_after_an_error(client: Client) -> None:
    for _ in range(3):
        client.start(f"Content-Length: {len(BODY)}")
        client.send(BODY)
        status, _, body = client.answer()
        assert (status, json.loads(body)["message"]) == (400, "body: body is missing")


def test_a_body_that_is_too_long_is_413_and_read_to_its_end(client: Client) -> None:
    length = LIMIT * 100
    client.start(f"Content-Length: {length}")
    for _ in range(100):
        client.send(b"x" * LIMIT)
    status, headers, body = client.answer()
    assert (status, json.loads(body)["code"]) == (413, 413)
    assert "connection" not in headers
    client.start(f"Content-Length: {len(BODY)}")
    client.send(BODY)
    assert client.answer()[0] == 400


def test_so_is_one_in_chunks_that_never_said_how_long_it_is(client: Client) -> None:
    client.start("Transfer-Encoding: chunked")
    for _ in range(50):
        client.send(chunk(b"x" * 10_000))
    client.send(b"0\r\n\r\n")
    assert client.answer()[0] == 413


def test_a_client_that_asks_first_is_refused_before_it_sends(client: Client) -> None:
    client.start(f"Content-Length: {LIMIT + 1}", "Expect: 100-continue")
    assert client.answer()[0] == 413


def test_a_client_that_asks_first_is_told_to_go_on(client: Client) -> None:
    client.start(f"Content-Length: {len(BODY)}", "Expect: 100-continue")
    assert client.answers.readline().split()[1] == b"100"
    client.answers.readline()
    client.send(BODY)
    assert client.answer()[0] == 400


def test_a_body_without_an_end_is_given_up(client: Client) -> None:
    assert connection.MOST_DROPPED <= 100_000_000
    client.start("Transfer-Encoding: chunked")
    answered = threading.Event()

    def send_for_ever() -> None:
        piece = chunk(b"x" * 1_000_000)
        for _ in range(1000):
            if answered.is_set():
                return
            try:
                client.send(piece)
            except OSError:
                return

    thread = threading.Thread(target=send_for_ever)
    thread.start()
    try:
        assert client.answer()[0] in (413, 0)
    except ConnectionResetError:
        pass
    finally:
        answered.set()
        thread.join()


@pytest.mark.parametrize("length", ["-1", "1x", "", "1, 2", "99999999999999999999999999"])
def test_a_length_that_is_none_gets_no_further(client: Client, length: str) -> None:
    client.start(f"Content-Length: {length}")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer()[0] in (0, 400, 413)


def test_half_a_message_is_no_message(port: int) -> None:
    client = Client(port)
    client.start(f"Content-Length: {len(BODY)}")
    client.send(BODY[:1000])
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer()[0] in (0, 400)
    client.close()


def test_length_and_chunks_together_are_not_smuggled(client: Client) -> None:
    client.start("Content-Length: 5", "Transfer-Encoding: chunked", path=ORU)
    client.send(b"0\r\n\r\nGET /running HTTP/1.1\r\nHost: x\r\n\r\n")
    first = client.answer()[0]
    assert first in (0, 400)


def test_the_answer_carries_the_request_id(client: Client) -> None:
    client.start("Content-Length: 2", "X-Request-ID: feed-7.A_b")
    client.send(b"{}")
    assert client.answer()[1]["x-request-id"] == "feed-7.A_b"

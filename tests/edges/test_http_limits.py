"""The bounds of an HTTP connection: what nobody has a token for costs nearly nothing, and ends soon."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from starlette.types import Receive, Scope, Send

from dhos_connector_api.http.body_limit import UNCOUNTED
from dhos_connector_api.http.connection import CYCLE
from dhos_connector_api.http.open_connections import ConnectionLimits
from tests.builders.api import READ, WRITE, api, internal, serving
from tests.rigs.waiting import eventually

POST = b"POST /dhos/v1/message HTTP/1.1\r\nHost: connector.test\r\n"
RUNNING = b"GET /running HTTP/1.1\r\nHost: connector.test\r\n\r\n"
#: As the real ones, but a test need not wait for a minute.
IMPATIENT = ConnectionLimits(most=12, most_of_peer=10, headers=1, body=1, answer=1, idle=1)
BUDGET = 200_000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server without a database, with the limits of a real one."""
    with serving(api(MAX_BODY_BYTES="100000")) as found:
        yield found


@pytest.fixture
def impatient() -> Iterator[int]:
    """A server with short deadlines, few connections and little room for bodies."""
    with serving(api(MAX_BODY_BYTES="100000", BODY_BUDGET_BYTES=str(BUDGET)), IMPATIENT) as found:
        yield found


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def told(port: int, *pieces: bytes) -> bytes:
    """What the server says to that, up to its closing the connection or to the end of one answer."""
    with closing(connected(port)) as client:
        sender = threading.Thread(target=_send, args=(client, pieces))
        sender.start()
        answer = b""
        with suppress(ConnectionResetError):
            while part := client.recv(65_536):
                answer += part
                if b"\r\n\r\n" in answer and b"Connection: close" not in answer:
                    break
        client.close()
        sender.join()
    return answer


def _send(client: socket.socket, pieces: tuple[bytes, ...]) -> None:
    with suppress(OSError):
        for piece in pieces:
            client.sendall(piece)


def status(answer: bytes) -> int:
    """The status of an answer; 0 where there was none."""
    return int(answer.split()[1]) if answer else 0


def runs(port: int) -> bool:
    return status(told(port, RUNNING)) == 200


@pytest.mark.parametrize(
    ("expected", "pieces"),
    [
        (414, [b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n"]),
        (414, [b"GET /" + b"a" * 3_000_000]),
        (431, [POST + b"X-Long: " + b"a" * 33_000 + b"\r\n\r\n"]),
        (431, [POST + b"X-Long: ", *[b"a" * 100_000] * 100]),
        (431, [POST, *[b"X-Long: " + b"a" * 1_000 + b"\r\n"] * 10_000]),
        (431, [POST + b"a: b\r\n" * 101 + b"\r\n"]),
        (431, [POST + b"a" * 3_000_000]),
        (400, [b"\x16\x03\x01\x02\x00\x01\x00"]),
        (400, [b"GET / HTTP/1.1\r\n\x00: a\r\n\r\n"]),
    ],
    ids=["address", "endless address", "header", "endless header", "many long headers", "many headers",
         "endless name", "TLS", "NUL"],
)  # fmt: skip
def test_headers_are_bounded(port: int, expected: int, pieces: list[bytes]) -> None:
    answer = told(port, *pieces)
    assert status(answer) in {expected, 0}  # 0: cut off, where more was sent than it takes to answer
    if answer:
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == expected
    assert runs(port)


def test_an_ordinary_request_has_room_enough(port: int) -> None:
    cookies = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 400) for number in range(60))
    assert status(told(port, b"GET /running?" + b"a" * 4_000 + b" HTTP/1.1\r\n" + cookies + b"\r\n")) == 200


def test_chunks_that_are_mostly_overhead_are_refused(port: int) -> None:
    token = f"Authorization: Bearer {internal(WRITE)}\r\n".encode()
    head = POST + token + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    extension = b"1;" + b"x" * 1_000 + b"\r\na\r\n"
    assert status(told(port, head, *[extension * 100] * 100)) in {400, 0}
    trailers = b"0\r\n" + b"X-Trailer: a\r\n" * 200 + b"\r\n"
    assert status(told(port, head, trailers)) in {431, 0}


def test_a_trailer_is_no_header(port: int) -> None:
    head = POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailer = f"Authorization: Bearer {internal(WRITE)}\r\n".encode()
    assert status(told(port, head + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n")) == 401


@pytest.mark.parametrize(
    ("expected", "head"),
    [
        (401, POST),
        (401, POST + b"Authorization: Bearer none.of.ours\r\n"),
        (403, POST + f"Authorization: Bearer {internal(READ)}\r\n".encode()),
        (404, b"POST /nowhere HTTP/1.1\r\n"),
        (405, b"DELETE /dhos/v1/message HTTP/1.1\r\n"),
        (415, POST + f"Authorization: Bearer {internal(WRITE)}\r\nContent-Type: text/plain\r\n".encode()),
        (413, POST + f"Authorization: Bearer {internal(WRITE)}\r\nContent-Length: 100001\r\n".encode()),
        (404, b"GET /docs/nothing HTTP/1.1\r\n"),
    ],
)
def test_what_can_be_refused_is_refused_before_the_body_comes(port: int, expected: int, head: bytes) -> None:
    if b"Content-Length" not in head:
        head += b"Content-Length: 50000\r\n"
    if b"Content-Type" not in head:
        head += b"Content-Type: application/json\r\n"
    assert status(told(port, head + b"\r\n")) == expected
    asks_first = told(port, head + b"Expect: 100-continue\r\n\r\n")
    assert status(asks_first) == expected
    assert b"connection: close" in asks_first.lower()


def test_a_connection_lives_on_once_the_refused_body_has_come(port: int) -> None:
    with closing(connected(port)) as client:
        for _ in range(2):
            client.sendall(POST + b"Content-Type: application/json\r\nContent-Length: 50000\r\n\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 401")
            client.sendall(b"x" * 50_000)
        client.sendall(RUNNING)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("expected", "begun"),
    [
        (0, b""),
        (408, b"POST /dhos/v1/mess"),
        (408, POST + b"X-Slow: a"),
        (401, POST + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"),
        (408, POST + f"Authorization: Bearer {internal(WRITE)}\r\nContent-Type: application/json\r\n".encode()
         + b"Content-Length: 9\r\n\r\n{"),
    ],
    ids=["nothing", "half a line", "half a header", "a body without a token", "half a body"],
)  # fmt: skip
def test_who_is_too_slow_is_cut_off(impatient: int, expected: int, begun: bytes) -> None:
    with closing(connected(impatient)) as client:
        client.sendall(begun)
        answer = b""
        while part := client.recv(65_536):  # ends when we are cut off, and only then
            answer += part
    assert status(answer) == expected


def test_a_byte_now_and_then_does_not_help(impatient: int) -> None:
    with closing(connected(impatient)) as client:
        client.settimeout(0.1)
        client.sendall(POST + b"X-Slow: ")
        ended = threading.Event()

        def drip() -> None:
            with suppress(OSError):
                while not ended.wait(0.1):
                    client.sendall(b"a")

        thread = threading.Thread(target=drip)
        thread.start()
        assert eventually(lambda: _is_cut_off(client), seconds=10)
        ended.set()
        thread.join()


def _is_cut_off(client: socket.socket) -> bool:
    try:
        return not client.recv(65_536)
    except TimeoutError:
        return False
    except OSError:
        return True


def test_an_idle_connection_is_closed(impatient: int) -> None:
    with closing(connected(impatient)) as client:
        client.sendall(RUNNING)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        assert client.recv(1) == b""


def test_a_probe_gets_in_when_all_connections_are_taken(impatient: int) -> None:
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(closing(connected(impatient)))
        assert runs(impatient)


def test_a_probe_gets_in_though_all_are_answered_and_owe_their_bodies(impatient: int) -> None:
    """A refusal costs no token, and the rest of its body may be promised for long."""
    with ExitStack() as stack:
        for _ in range(10):
            client = stack.enter_context(closing(connected(impatient)))
            client.sendall(POST + b"Content-Type: application/json\r\nContent-Length: 90000\r\n\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 401")
        for _ in range(3):
            assert runs(impatient)


def test_who_is_being_answered_is_not_idle_though_another_request_came_before() -> None:
    """Two requests in one piece: the second is worked on when the first is answered."""
    begun, go = threading.Event(), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _live(receive, send)
        if scope["path"] == "/slow":
            begun.set()
            while not go.is_set():
                await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
        return None

    with serving(slow, IMPATIENT) as port, ExitStack() as stack:
        client = stack.enter_context(closing(connected(port)))
        client.sendall(RUNNING + RUNNING.replace(b"/running", b"/slow"))
        assert begun.wait(5)
        for _ in range(12):
            stack.enter_context(closing(connected(port)))
        assert runs(port)
        go.set()
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 2:
            part = client.recv(65_536)
            assert part, "it was cut off"
            answers += part


async def _live(receive: Receive, send: Send) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


def test_nothing_of_a_body_is_read_before_somebody_asks_for_it() -> None:
    held: list[int] = []

    async def thinking(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _live(receive, send)
        await asyncio.sleep(0.5)
        held.append(len(scope["extensions"][CYCLE].body))
        whole = 0
        while (message := await receive()).get("more_body"):
            whole += len(message["body"])
        held.append(whole + len(message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
        return None

    with serving(thinking) as port, closing(connected(port)) as client:
        client.sendall(POST + b"Content-Length: 1000000\r\n\r\n")
        sender = threading.Thread(target=client.sendall, args=(b"x" * 1_000_000,))
        sender.start()
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        sender.join()
    assert held[0] <= 262_144, "what came with the headers, and no more"
    assert held[1] == 1_000_000


@pytest.mark.parametrize("body", [6_000, 60_000])
def test_as_many_requests_as_may_be_piled_up_come_in_one_piece(port: int, body: int) -> None:
    one = POST + b"X-Long: " + b"a" * 6_000 + b"\r\nContent-Length: %d\r\n\r\n" % body + b"x" * body
    with closing(connected(port)) as client:
        sender = threading.Thread(target=_send, args=(client, (one * 7 + POST[:20],)))
        sender.start()
        answers = b""
        while answers.count(b"HTTP/1.1 401") < 7:
            part = client.recv(65_536)
            assert part, "cut off"
            answers += part
        sender.join()


def _upload(port: int, size: int, sent: int) -> socket.socket:
    client = connected(port)
    token = f"Authorization: Bearer {internal(WRITE)}\r\n".encode()
    client.sendall(POST + token + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size)
    client.sendall(b"x" * sent)
    return client


def test_bodies_have_one_budget_and_short_ones_are_not_kept_out() -> None:
    roomy = ConnectionLimits(headers=20, body=20)
    with serving(api(MAX_BODY_BYTES="100000", BODY_BUDGET_BYTES=str(BUDGET)), roomy) as port:
        number = 2 + BUDGET // (100_000 - UNCOUNTED)
        clients = [_upload(port, 100_000, 99_000) for _ in range(number)]
        try:
            refused = eventually(lambda: b"".join(map(_refusal, clients)), seconds=10)
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"retry-after: " in refused.lower()
            short = told(port, POST + f"Authorization: Bearer {internal(WRITE)}\r\n".encode()
                         + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")  # fmt: skip
            assert status(short) == 400
        finally:
            for client in clients:
                client.close()
        again = _upload(port, 100_000, 100_000)
        assert eventually(lambda: _refusal(again), seconds=10).startswith(b"HTTP/1.1 400")
        again.close()


def _refusal(client: socket.socket) -> bytes:
    client.settimeout(0.05)
    try:
        return client.recv(65_536)
    except TimeoutError:
        return b""


def test_so_many_requests_may_be_piled_up_on_one_connection(port: int) -> None:
    with closing(connected(port)) as client:
        client.sendall(RUNNING * 10)
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 10:
            answers += client.recv(65_536)
    with closing(connected(port)) as client:
        _send(client, (RUNNING * 10_000,))
        answers = b""
        with suppress(ConnectionResetError):
            while part := client.recv(65_536):
                answers += part
    assert answers.count(b"HTTP/1.1 200") < 1_000
    assert runs(port)


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"nonsense"])
def test_a_wish_for_another_protocol_is_ignored(port: int, upgrade: bytes) -> None:
    wish = b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n"
    with closing(connected(port)) as client:
        for _ in range(2):
            client.sendall(b"GET /running HTTP/1.1\r\nHost: a\r\n" + wish + b"\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("pieces", [1, 3, 1000])
@pytest.mark.parametrize("framing", ["length", "chunked", "chunked with a trailer", "empty"])
def test_the_body_of_a_request_that_wishes_so_is_read(framing: str, pieces: int) -> None:
    body = {"empty": b""}.get(framing, b"x" * 70_000)
    told_ = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    if framing.startswith("chunked"):
        trailer = b"X-Trailer: 1\r\n" if "trailer" in framing else b""
        told_ = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailer)
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    one = b"POST /length HTTP/1.1\r\nHost: a\r\n" + wish + told_
    with serving(_says_length) as port, closing(connected(port)) as client:
        whole = one + one + RUNNING
        size = -(-len(whole) // pieces)
        sender = threading.Thread(
            target=_send, args=(client, tuple(whole[at : at + size] for at in range(0, len(whole), size)))
        )
        sender.start()
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 3 or not answers.endswith(b"/running 0."):
            part = client.recv(65_536)
            assert part, answers
            answers += part
        sender.join()
    assert answers.count(b"/length %d." % len(body)) == 2


async def _says_length(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        return await _live(receive, send)
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    said = f"{scope['path']} {size}.".encode()
    headers = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})
    return None


@pytest.mark.parametrize(
    ("version", "header", "closes"),
    [("1.0", "", True), ("1.1", "Connection: close\r\n", True), ("1.1", "", False)],
)
def test_older_clients_are_served(port: int, version: str, header: str, closes: bool) -> None:
    with closing(connected(port)) as client:
        client.sendall(f"HEAD /running HTTP/{version}\r\nHost: a\r\n{header}\r\n".encode())
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        client.settimeout(0.3)
        if closes:
            assert client.recv(1) == b""
        else:
            with pytest.raises(TimeoutError):
                client.recv(1)

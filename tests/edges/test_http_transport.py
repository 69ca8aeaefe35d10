"""One HTTP request with one deadline, against servers that misbehave in every way a socket allows."""

import itertools
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from dhos_connector_api import http_request
from dhos_connector_api.deliveries.rules.outcome import LARGEST_ANSWER, DeliveryFailed, Kind
from dhos_connector_api.deliveries.transports import http
from dhos_connector_api.deliveries.transports.http import Reply
from tests.rigs.wire import Wire, hang, request_head, says, until_hung_up, whole_request


def ask(url: str, *, seconds: float = 10, body: bytes | None = b"message") -> Reply:
    return http.request("POST", url, seconds=seconds, headers={"X-Request-ID": "r-1"}, body=body)


def test_request_and_answer_arrive_as_they_were_sent() -> None:
    seen: list[tuple[bytes, bytes]] = []

    def talk(connection: socket.socket) -> None:
        seen.append(whole_request(connection))
        connection.sendall(b"HTTP/1.1 503 Busy\r\nX-Some: Thing\r\nContent-Length: 3\r\n\r\nabc")

    with Wire(talk) as server:
        reply = ask(f"{server.url}/a/b?c=d#e")
    assert reply == Reply(503, {"x-some": "Thing", "content-length": "3"}, b"abc")
    (head, body), *_ = seen
    assert head.startswith(b"POST /a/b?c=d HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert b"X-Request-ID: r-1" in head
    assert body == b"message"


def test_each_request_has_a_connection_of_its_own() -> None:
    with Wire(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        ask(server.url)
        ask(server.url)
    assert server.connections == 2


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with Wire(until_hung_up) as elsewhere:
        head = f"HTTP/1.1 307 Over there\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
        with Wire(says(head.encode())) as server:
            assert ask(server.url).status == 307
    assert elsewhere.connections == 0


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(until_hung_up) as proxy, Wire(says(b"HTTP/1.1 204 Done\r\n\r\n")) as server:
        monkeypatch.setenv(name, proxy.url)
        assert ask(server.url).status == 204
    assert proxy.connections == 0


def test_a_refused_connection_is_transient() -> None:
    with Wire(until_hung_up) as server:
        url = server.url
    with pytest.raises(DeliveryFailed) as caught:
        ask(url)
    assert caught.value.kind is Kind.TRANSIENT


def test_a_name_that_does_not_resolve_is_transient() -> None:
    for host in ("nobody.invalid", "a" * 64 + ".invalid"):
        with pytest.raises(DeliveryFailed) as caught:
            ask(f"http://{host}/")
        assert caught.value.kind is Kind.TRANSIENT


def test_no_time_left_is_transient_and_sends_nothing() -> None:
    with Wire(until_hung_up) as server:
        for seconds in (0, -1):
            with pytest.raises(DeliveryFailed) as caught:
                ask(server.url, seconds=seconds)
            assert caught.value.kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    "url", ["http://epr.test:0/", "https://epr.test:65536/", "ftp://epr.test/", "http:///"]
)
def test_what_is_no_http_address_is_not_taken_for_another_one(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Pp]ort"):
        http.address(url)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    with Wire(says(b"HTTP/1.1 200 OK\r\n\r\nabc")) as server:
        assert ask(server.url).body == b"abc"


def test_the_longest_answer_is_read_whole() -> None:
    body = b"x" * LARGEST_ANSWER
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with Wire(says(head + body)) as server:
        assert ask(server.url).body == body


def test_provisional_answers_come_before_the_answer() -> None:
    answer = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 102 Wait\r\nConnection: close\r\n\r\n"
        b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok"
    )
    with Wire(says(answer)) as server:
        assert ask(server.url) == Reply(201, {"content-length": "2"}, b"ok")


def test_a_refusal_before_the_body_was_taken_is_heard() -> None:
    def talk(connection: socket.socket) -> None:
        request_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too much\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        received = sum(len(connection.recv(65536)) for _ in range(20))
        assert received

    with Wire(talk) as server:
        statuses: list[int | Kind] = []
        for _ in range(5):
            try:
                statuses.append(ask(server.url, body=b"x" * 20_000_000).status)
            except DeliveryFailed as failed:  # a reset may overtake the answer
                statuses.append(failed.kind)
    assert set(statuses) <= {413, Kind.AMBIGUOUS}
    assert 413 in statuses


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is signed by nobody but itself, with its key, in one file."""
    path = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=path, check=True, capture_output=True)
    both = path / "both.pem"
    both.write_bytes((path / "key.pem").read_bytes() + (path / "cert.pem").read_bytes())
    return both


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_an_untrusted_certificate_is_transient_and_nothing_is_sent(certificate: Path) -> None:
    heard: list[bytes] = []
    with Wire(lambda connection: heard.append(request_head(connection)), tls=tls(certificate)) as server:
        with pytest.raises(DeliveryFailed) as caught:
            ask(server.url)
        assert caught.value.kind is Kind.TRANSIENT
        assert "SSLCertVerificationError" in caught.value.text
    assert heard == []


def test_a_trusted_certificate_is_spoken_to_in_tls(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http_request._tls.cache_clear()
    try:
        with Wire(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), tls=tls(certificate)) as server:
            assert ask(server.url).body == b"ok"
        with Wire(hang(b"HTTP/1.1 200 OK\r\n\r\n"), tls=tls(certificate)) as server:
            with pytest.raises(DeliveryFailed) as caught:
                ask(server.url, seconds=0.4)
            assert caught.value.kind is Kind.AMBIGUOUS
    finally:
        http_request._tls.cache_clear()


@pytest.mark.parametrize("piece", [b"", b"\x16"])
def test_a_handshake_that_does_not_end_is_transient(piece: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        hung_up = threading.Event()
        while not hung_up.wait(0.02):
            connection.sendall(piece)

    with Wire(talk) as server:
        with pytest.raises(DeliveryFailed) as caught:
            ask(server.url.replace("http:", "https:"), seconds=0.4)
        assert caught.value.kind is Kind.TRANSIENT


def test_many_at_once_do_not_cut_each_other() -> None:
    numbers = itertools.count()

    def talk(connection: socket.socket) -> None:
        _, body = whole_request(connection)
        if next(numbers) % 2:
            until_hung_up(connection)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    outcomes: list[bytes | Kind] = []

    def work(number: int) -> None:
        try:
            outcomes.append(ask(server.url, seconds=1.0, body=b"%d" % number).body)
        except DeliveryFailed as failed:
            outcomes.append(failed.kind)

    with Wire(talk) as server:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes.count(Kind.AMBIGUOUS) == 15
    assert len(set(outcomes)) == 16

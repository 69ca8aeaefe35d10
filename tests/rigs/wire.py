"""A TCP server for tests: each connection is handled by a function, which may misbehave as it likes."""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

Talk = Callable[[socket.socket], None]


class Wire:
    """Listens at a free port of this machine while it is entered; `talk` has each connection to itself."""

    def __init__(self, talk: Talk, *, tls: ssl.SSLContext | None = None) -> None:
        self._talk = talk
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for each in self._open:
            try:
                socket.socket.shutdown(each, socket.SHUT_RDWR)
            except OSError:
                continue  # it is closed already
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._start(lambda connection=connection: self._handle(connection))  # type: ignore[misc]

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self._tls:
                    with self._tls.wrap_socket(connection, server_side=True) as secure:
                        self._open.append(secure)
                        self._talk(secure)
                else:
                    self._talk(connection)
            except OSError:
                return  # the other side went away, which many tests are about


def request_head(connection: socket.socket) -> bytes:
    """What was sent up to the end of the headers, and whatever of the body came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("nothing more came")
        received += data
    return received


def whole_request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of a request with a Content-Length, or without a body."""
    head, _, body = request_head(connection).partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    length = next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)
    while len(body) < length:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("the body was cut")
        body += data
    return head, body


def until_hung_up(connection: socket.socket) -> None:
    """Say nothing until the other side has enough."""
    while connection.recv(65536):
        continue


def says(answer: bytes) -> Talk:
    """A server that reads the request, says this, and closes the connection."""

    def talk(connection: socket.socket) -> None:
        whole_request(connection)
        connection.sendall(answer)

    return talk


def hang(begin: bytes = b"") -> Talk:
    """A server that reads the request, says this, and then nothing more."""

    def talk(connection: socket.socket) -> None:
        whole_request(connection)
        connection.sendall(begin)
        until_hung_up(connection)

    return talk

"""The EPR of the measurements: acknowledges every ORU message after so many milliseconds, and costs little.

`python -m benchmarks.epr PORT`. Answers `{"type", "body"}` as the EPR service adapter does, on one
thread; tokens are not looked at.
"""

import asyncio
import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import uvloop

from benchmarks.harness import Bench
from benchmarks.waiting import wait_for
from dhos_connector_api.db.embedded import free_port

#: Seconds from the request read to the answer written.
ANSWER_SECONDS = 0.02
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Adapter(asyncio.Protocol):
    """One connection with one request, as the Connector makes them."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if found and length and len(body) >= int(length[1]):
            self._buffer = b""
            asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._transport.write, _answer(body))


def _answer(body: bytes) -> bytes:
    """HTTP with an acknowledgement of the message in the body."""
    message = base64.b64decode(json.loads(body)["body"])
    control_id = message.split(b"|", 10)[9].decode()
    ack = f"MSH|^~\\&|EPR|RBH|DHOS|DHOS|20260101000000||ACK^R01^ACK|A1|P|2.6\rMSA|AA|{control_id}\r"
    content = json.dumps({"type": "hl7v2", "body": base64.b64encode(ack.encode()).decode()}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Adapter, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


@contextmanager
def healthy(bench: Bench) -> Iterator[tuple[str, int]]:
    """An EPR that answers: its address and the pid of its process."""
    port = free_port()
    with bench.process("benchmarks.epr", str(port), subprocess.DEVNULL) as process:
        wait_for(port)
        yield f"http://127.0.0.1:{port}", process.pid


@contextmanager
def hanging() -> Iterator[str]:
    """The address of an EPR that is dead in the worst way: it can be connected to and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))

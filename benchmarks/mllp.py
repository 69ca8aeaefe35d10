"""MLLP under load: messages a second, how long each took, who spent the CPU; beside python-hl7."""

import secrets
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import machine, mllp_load, sample
from benchmarks.harness import Bench
from benchmarks.load import Answers
from benchmarks.table import Row, quantile
from benchmarks.waiting import wait_for
from dhos_connector_api.db.embedded import free_port

Connect = Callable[[], socket.socket]

PART = "mllp"
_CONNECTIONS = (1, 8, 64)
_WARM_UP = 2000
_MOST_A_SECOND = 6000
_LEAST_RATE = {64: 2000}
_MOST_P99 = {64: 100}
#: Peers that never finish a frame, a third of them holding much; those that do nothing at all among them.
_SLOW, _MUCH = 500, 200_000
_MOST_HELD = 150.0  # MB: 100 is what connections of a process may hold


def frames(count: int) -> Iterator[bytes]:
    """That many frames, each with a control id that was never sent before."""
    run = secrets.token_hex(3)
    return iter([b"\x0b" + sample.hl7(number, run=run) + b"\x1c\r" for number in range(count)])


def measure(bench: Bench) -> list[Row]:
    """Rate, p50/p95/p99 from last byte to ACK, CPU a message; python-hl7's server; slow peers."""
    rows: list[Row] = []
    with bench.mllp() as mllp, bench.relay() as relay:
        meter = bench.meter(mllp=mllp, relay=relay)
        for connections in _CONNECTIONS:
            mllp_load.send(bench.mllp_port, frames(_WARM_UP), connections=max(8, connections))
            prepared = frames(int(bench.options.seconds * _MOST_A_SECOND))
            meter.start()
            answers = mllp_load.send(
                bench.mllp_port, prepared, connections=connections, seconds=bench.options.seconds
            )
            rows += _rows(connections, answers, meter.stop())
        rows += _beside_slow_peers(bench, mllp, f"{_SLOW} slow peers", _plain(bench.mllp_port))
        bench.wait_until_published()
    with _tls_too(bench) as (mllp, wrap):
        rows += _beside_slow_peers(bench, mllp, f"{_SLOW} slow TLS peers", wrap)
    return [*rows, *_yardstick(bench), _missing(bench)]


def _rows(connections: int, answers: Answers, spent: dict[str, float]) -> list[Row]:
    name, count = f"{connections:2d} senders", len(answers.times)
    rows = [Row(PART, f"{name}: rate", answers.rate, "messages/s", least=_LEAST_RATE.get(connections))]
    for share in (0.5, 0.95, 0.99):
        most = _MOST_P99.get(connections) if share == 0.99 else None
        milliseconds = quantile(answers.milliseconds, share)
        rows.append(Row(PART, f"{name}: p{share * 100:.0f}", milliseconds, "ms", most=most))
    rows += [
        Row(PART, f"{name}: CPU {group}", seconds * 1000 / count, "ms/message")
        for group, seconds in spent.items()
    ]
    return rows


def _plain(port: int) -> Connect:
    return lambda: socket.create_connection(("127.0.0.1", port))


@contextmanager
def _tls_too(bench: Bench) -> Iterator[tuple[int, Connect]]:
    """The MLLP process with a second listener, for TLS: its pid, and how to connect to that one."""
    port = free_port()
    names = ("listeners-tls.toml", "tls.pem", "tls.key")
    file, certificate, key = (bench.write(name, "") for name in names)
    _make_certificate(certificate, key)
    listener = '[[listener]]\nname = "{}"\nhost = "127.0.0.1"\nport = {}\nframe_timeout = 5\n'
    tls = f'tls = {{ certificate = "{certificate}", key = "{key}" }}\n'
    file.write_text(listener.format("bench", bench.mllp_port) + listener.format("tls", port) + tls)
    context = ssl.create_default_context(cafile=certificate)
    with bench.settings(MLLP_LISTENERS=str(file)), bench.mllp() as mllp:
        connect = _plain(port)
        yield mllp, lambda: context.wrap_socket(connect(), server_hostname="localhost")


def _make_certificate(certificate: Path, key: Path) -> None:
    """A certificate for localhost that signs itself, for one day."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run([*command.split(), *subject, *files], capture_output=True, check=True)


def _beside_slow_peers(bench: Bench, mllp: int, peers: str, connect: Connect) -> list[Row]:
    """Honest senders beside slow and half-open ones, and what these cost in memory."""
    children = sorted(machine.tree(mllp) - {mllp})
    before = sum(machine.resident_megabytes(pid) for pid in children)
    with ExitStack() as stack:
        for number in range(_SLOW):
            peer = stack.enter_context(connect())
            if number % 3 == 0:
                peer.sendall(b"\x0bMSH|^~\\&|")
            elif number % 3 == 1:
                peer.sendall(b"\x0b" + b"x" * _MUCH)
        answers = mllp_load.send(bench.mllp_port, frames(20_000), connections=8, seconds=4)
        during = sum(machine.resident_megabytes(pid) for pid in children)
    name = f"8 senders beside {peers}"
    note = f"{before:.0f} -> {during:.0f} MB RSS, {len(children)} processes"
    return [
        Row(PART, f"{name}: rate", answers.rate, "messages/s"),
        Row(PART, f"{name}: p99", quantile(answers.milliseconds, 0.99), "ms"),
        Row(PART, f"{name}: growth", during - before, "MB", most=_MOST_HELD, note=note),
    ]


def _yardstick(bench: Bench) -> list[Row]:
    rows = []
    with _hl7_server(bench) as (port, pid):
        meter = machine.Meter({"hl7": lambda: (pid,)})
        for connections in _CONNECTIONS:
            prepared = frames(int(bench.options.seconds * _MOST_A_SECOND))
            meter.start()
            answers = mllp_load.send(
                port, prepared, connections=connections, seconds=min(bench.options.seconds, 5.0)
            )
            cpu = meter.stop()["hl7"] * 1000 / len(answers.times)
            note = f"p99 {quantile(answers.milliseconds, 0.99):.1f} ms, CPU {cpu:.3f} ms/message"
            name = f"{connections:2d} senders: python-hl7's server, only create_ack"
            rows.append(Row(PART, name, answers.rate, "messages/s", note=note))
    return rows


@contextmanager
def _hl7_server(bench: Bench) -> Iterator[tuple[int, int]]:
    port = free_port()
    with bench.process("benchmarks.mllp_echo", str(port), subprocess.DEVNULL) as process:
        wait_for(port)
        yield port, process.pid


def _missing(bench: Bench) -> Row:
    """Every message was answered AA; this says that every one is stored, and was queued."""
    missing = bench.count(
        "SELECT (SELECT count(*) FROM message WHERE state <> 'accepted')"
        " + (SELECT count(*) FROM message m WHERE NOT EXISTS"
        " (SELECT FROM outbox o WHERE o.message_uuid = m.uuid))"
    )
    return Row(PART, "messages not accepted or not queued", missing, "messages", most=0)

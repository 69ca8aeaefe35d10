"""A RabbitMQ server in a temporary folder, to be stopped, killed and starved at will."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pika
from pika.exceptions import AMQPError

from dhos_connector_api.broker.address import BrokerAddress
from tests.rigs.certificates import Certificate
from tests.rigs.waiting import eventually

#: Virtual hosts that are made at once: a start of rabbitmqctl takes as long as several of them.
_VHOSTS = 4
_DEBIAN = Path("/usr/lib/rabbitmq/bin")


def answers(address: BrokerAddress) -> bool:
    """Whether a RabbitMQ lets us in there."""
    try:
        pika.BlockingConnection(address.parameters("test")).close()
    except (AMQPError, OSError):
        return False
    return True


def programs() -> Path | None:
    """The folder of RabbitMQ's own scripts: Debian's in PATH change the user and the folder."""
    if (_DEBIAN / "rabbitmq-server").exists():
        return _DEBIAN
    found = shutil.which("rabbitmq-server")
    return Path(found).resolve().parent if found else None


def making_vhosts(names: Sequence[str]) -> str:
    """Return what `rabbitmqctl eval` needs to make these virtual hosts, which guest may use, in one start."""
    each = (
        f'ok = rabbit_vhost:add(<<"{name}">>, <<"test">>),'
        f' ok = rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>,'
        f' <<".*">>, <<".*">>, <<".*">>, <<"test">>)'
        for name in names
    )
    return ", ".join(each) + "."


def _lasting_port() -> int:
    """A free TCP port below those the system lends out, so that it is still free after a restart."""
    while True:
        port = random.randrange(15000, 30000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _listening_with_tls(port: int, authority: Certificate, server: Certificate) -> str:
    return (
        f', {{ssl_listeners, [{{"127.0.0.1", {port}}}]}}, {{ssl_options, [{{cacertfile, "{authority.file}"}},'
        f' {{certfile, "{server.file}"}}, {{keyfile, "{server.key}"}},'
        f" {{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}]}}"
    )


class OwnRabbitMQ:
    """A RabbitMQ server in a temporary folder, to be stopped, killed and starved at will."""

    def __init__(
        self,
        programs: Path,
        folder: Path,
        tls: tuple[Certificate, Certificate] | None = None,
        *,
        managed: bool = False,
    ) -> None:
        """`tls` are the authority and the server's certificate: it listens with TLS too, for who has one.

        `managed`: it has the management API, at `management_port`.
        """
        self._programs = programs
        self._folder = folder
        self._port = _lasting_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None
        self._vhosts: list[str] = []
        (folder / "plugins").write_text("[rabbitmq_management]." if managed else "[].")
        self.management_port = _lasting_port()
        (folder / "environment").touch()
        # One message may have so many bytes, so that a test can send one that is too large.
        self.tls_port = _lasting_port()
        listens = _listening_with_tls(self.tls_port, *tls) if tls else ""
        (folder / "advanced.config").write_text(
            f"[{{rabbit, [{{max_message_size, 1000000}}{listens}]}}, {{rabbitmq_management,"
            f' [{{tcp_config, [{{port, {self.management_port}}}, {{ip, "127.0.0.1"}}]}}]}}].'
        )
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(_lasting_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"connector-{uuid4().hex[:8]}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(_lasting_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        }

    def address(self, vhost: str = "/") -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self._port, vhost)

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        epmd = shutil.which("epmd")
        if epmd and self._names is None:
            self._names = subprocess.Popen([epmd], env=self._environment, stderr=subprocess.DEVNULL)
        eventually(self._answers, seconds=90)

    def _answers(self) -> bool:
        """Whether it answers by now; a server that gave up while starting is started again."""
        if self._process is None or self._process.poll() is not None:
            with (self._folder / "output").open("ab") as output:
                self._process = subprocess.Popen(
                    [self._programs / "rabbitmq-server"],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        return answers(self.address())

    def stop(self) -> None:
        """Shut it down in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int((self._folder / "pid").read_text()), how)
            self._process.wait(60)
            self._process = None

    def control(self, *words: str) -> str:
        """Run rabbitmqctl with these words; what it printed."""
        done = subprocess.run(
            [self._programs / "rabbitmqctl", *words], env=self._environment, check=True, capture_output=True
        )
        return done.stdout.decode()

    def listed(self, things: str, *columns: str) -> str:
        """What `rabbitmqctl list_...` prints, such as connections or queues."""
        return self.control(f"list_{things}", *columns)

    def new_vhost(self) -> BrokerAddress:
        """An empty virtual host."""
        if not self._vhosts:
            self._vhosts = [f"test-{uuid4().hex[:12]}" for _ in range(_VHOSTS)]
            self.control("eval", making_vhosts(self._vhosts))
        return self.address(self._vhosts.pop())

    def close(self) -> None:
        self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait(60)


def amqp_headers(address: BrokerAddress, queue: str, *, at_least: int) -> str:
    """Properties and routing keys of what waits in the queue; '' while there are fewer than that."""
    found = []
    connection = pika.BlockingConnection(address.parameters("test"))
    channel = connection.channel()
    while True:
        method, properties, _body = channel.basic_get(queue)
        if method is None:
            break
        found.append(f"{method.routing_key} {vars(properties)}")
    connection.close()
    return "\n".join(found) if len(found) >= at_least else ""

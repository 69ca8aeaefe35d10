"""Orders to the fakes: cut the network, make the trustomer service fail, change what it says."""

import socket
from typing import Any

import requests

_TIMEOUT = 5


class Network:
    """The control of fakes/network.py; `address` is host:port."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = host, int(port)

    def cut(self) -> None:
        """From now on RabbitMQ is away."""
        self._order(b"cut\n")

    def restore(self) -> None:
        """From now on it is back."""
        self._order(b"restore\n")

    def _order(self, order: bytes) -> None:
        with socket.create_connection(self._address, _TIMEOUT) as control:
            control.sendall(order)
            assert control.makefile("rb").readline() == b"done\n"


class Trustomer:
    """The control of fakes/trustomer.py; `address` is its URL."""

    def __init__(self, address: str) -> None:
        self._control = f"{address}/control"

    def order(self, *, failing: bool = False, inbound: dict[str, Any] | None = None) -> None:
        """Fail or not, and answer with that `inbound` configuration."""
        orders = {"failing": failing, "inbound": inbound or {}}
        requests.put(self._control, json=orders, timeout=_TIMEOUT).raise_for_status()

    def answered(self, status: int) -> int:
        """How often it has answered with that status."""
        answered = requests.get(self._control, timeout=_TIMEOUT).json()["answered"]
        return int(answered.get(str(status), 0))

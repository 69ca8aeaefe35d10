"""Orders to the fakes: cut lines of the network, make services fail, change what they say."""

import socket
from typing import Any

import requests

_TIMEOUT = 5


class Network:
    """The control of fakes/network.py; `address` is host:port."""

    LINES = ("rabbitmq", "epr", "mirth")

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = host, int(port)

    def cut(self, line: str) -> None:
        """From now on what that line leads to is away."""
        self._order(f"cut {line}")

    def restore(self, line: str) -> None:
        """From now on it is back."""
        self._order(f"restore {line}")

    def _order(self, order: str) -> None:
        with socket.create_connection(self._address, _TIMEOUT) as control:
            control.sendall(f"{order}\n".encode())
            assert control.makefile("rb").readline() == b"done\n"


class Trustomer:
    """The control of fakes/trustomer.py; `address` is its URL."""

    def __init__(self, address: str) -> None:
        self._control = f"{address}/control"

    def order(self, *, failing: bool = False, **changes: dict[str, Any]) -> None:
        """Fail or not, and answer with these changes to the sections of the configuration."""
        orders = {"failing": failing, "changes": changes}
        requests.put(self._control, json=orders, timeout=_TIMEOUT).raise_for_status()

    def answered(self, status: int) -> int:
        """How often it has answered with that status."""
        answered = requests.get(self._control, timeout=_TIMEOUT).json()["answered"]
        return int(answered.get(str(status), 0))


class Destination:
    """The control of fakes/epr.py or fakes/mirth.py; `address` is its URL."""

    def __init__(self, address: str) -> None:
        self._control = f"{address}/control"

    def behave(self, *behaviours: str, key: str | None = None, delay: float = 0.0) -> None:
        """Behave so at the first, second ... attempt, the last one for ever; without any: accept.

        With `key` that is for one message alone. An answer takes `delay` seconds.
        """
        orders = {"behaviours": behaviours or ("accept",), "key": key, "delay": delay}
        requests.put(self._control, json=orders, timeout=_TIMEOUT).raise_for_status()

    def taken(self) -> list[str]:
        """Every message it has taken, as text and in order; one it took twice is there twice."""
        return [str(each) for each in self._shown()["taken"]]

    def attempts(self, key: str) -> list[dict[str, str]]:
        """Every attempt with one message: `behaviour` and `request_id`."""
        return [each for each in self._shown()["attempts"] if each["key"] == key]

    def tripped(self) -> int:
        """How often somebody followed it to where nobody may go."""
        return int(self._shown()["tripwire"])

    def _shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = requests.get(self._control, timeout=_TIMEOUT).json()
        return shown

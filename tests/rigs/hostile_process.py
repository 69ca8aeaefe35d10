"""Runs in a process of its own: does everything with hostile XML, and tells what it opened and connected to.

`python -m tests.rigs.hostile_process ORDERS`: ORDERS is a JSON file with `mirth` (where it listens), `user`,
`password`, `trap` and `tripwire`. Prints JSON: `opened`, `connected`, `other`, `outcomes`, `megabytes`.
"""

import json
import re
import sys
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import uuid4

from dhos_connector_api.deliveries.cda.document import read
from dhos_connector_api.deliveries.rules.outcome import DeliveryFailed, Outgoing
from dhos_connector_api.deliveries.transports.mirth import MirthTransport
from dhos_connector_api.errors import BadInput
from dhos_connector_api.site.model import IdentifierTable
from tests.builders.hostile_xml import hostile
from tests.rigs.hostile_mirth import CDA, WAYS, address, document

_CONNECTING = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind")
_STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "ctypes.dlopen")


class Watch:
    """Everything this process opens, connects to and starts, as Python tells its auditors (PEP 578)."""

    def __init__(self) -> None:
        self.opened: set[str] = set()
        self.connected: set[str] = set()
        self.other: set[str] = set()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of one event."""
        if event == "open":
            self.opened.add(str(arguments[0]))
        elif event in _CONNECTING:
            self.connected.add(re.sub(r"<socket[^>]*>, ", "", str(arguments)))
        elif event in _STARTING or event.startswith(("urllib", "ftplib", "smtplib", "shutil", "tempfile")):
            self.other.add(event)


def megabytes() -> float:
    """The most physical memory this process has had so far."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def deliver(orders: dict[str, str], base: str, content: str) -> str:
    """What becomes of a document, with a WSDL fetched anew."""
    send = MirthTransport(base, orders["user"], orders["password"])
    try:
        send(Outgoing(uuid4(), None, content.encode(), "hostile", 30))
    except DeliveryFailed as failed:
        return failed.kind.value
    return "accepted"


def documents(orders: dict[str, str]) -> dict[str, str]:
    """Every hostile document is read, and delivered where it may go out."""
    outcomes = {}
    for each in hostile(CDA, trap=orders["trap"], tripwire=orders["tripwire"]):
        try:
            read(each.content, table=IdentifierTable(), zone=UTC)
        except BadInput:
            outcomes[each.name] = "refused"
        else:
            outcomes[each.name] = deliver(orders, address(orders["mirth"], "soap", 0), each.content)
    return outcomes


def answers(orders: dict[str, str], way: str) -> dict[str, str]:
    """Mirth answers a harmless document with something hostile, as its WSDL, its XSD or in SOAP."""
    return {
        each.name: deliver(orders, address(orders["mirth"], way, number), document(way, number))
        for number, each in enumerate(hostile(WAYS[way], trap=orders["trap"], tripwire=orders["tripwire"]))
    }


def main() -> None:
    """Do it all."""
    orders: dict[str, str] = json.loads(Path(sys.argv[1]).read_text())
    deliver(orders, address(orders["mirth"], "soap", 0), "<a/>")  # what is imported late is imported now
    watch, before = Watch(), megabytes()
    sys.addaudithook(watch)
    Path(sys.argv[1]).read_text()  # shows that an opened file is seen
    outcomes = {"documents": documents(orders)} | {way: answers(orders, way) for way in WAYS}
    seen = {name: sorted(getattr(watch, name)) for name in ("opened", "connected", "other")}
    json.dump(seen | {"outcomes": outcomes, "megabytes": megabytes() - before}, sys.stdout)


if __name__ == "__main__":
    main()

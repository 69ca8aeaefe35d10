"""A trustomer service: holds one customer's configuration, checks who asks, and can be made to fail.

Run `python -m fakes.trustomer`. TRUSTOMER_LISTEN is `host:port`; CUSTOMER_CODE and POLARIS_API_KEY are
what the Connector has to come with. `/control` is for the tests: GET shows what was asked for, PUT
takes `{"failing": bool, "changes": {section: {entry: value}}}`, which stand in for what it says else.
"""

import json
import os
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

#: Quick to try again, so that tests need not wait; an attempt may take its time on a slow machine.
_DELIVERY = {"schedule": [0.2, 0.5, *[1] * 10], "jitter": 0, "timeout": 3, "grace": 1}
#: A configuration as the predecessor's service gives it, with entries that concern others.
CONFIGURATION: dict[str, Any] = {
    "hl7_config": {
        "outgoing_processing_id": "T",
        "outgoing_receiving_application": "EPR",
        "outgoing_receiving_facility": "RBH",
        "outgoing_sending_application": "DHOS",
        "outgoing_sending_facility": "DHOS",
        "outgoing_timestamp_format": "%Y%m%d%H%M%S.%L%z",
    },
    "send_config": {
        "generate_oru_messages": True,
        "oxygen_masks": [
            {"code": "RA", "id": "m1", "name": "Room Air"},
            {"code": "V{mask_percent}", "id": "m2", "name": "Venturi"},
        ],
    },
    "deliveries": {"epr": _DELIVERY, "mirth": _DELIVERY},
    "his": {
        "hospitals": [
            {"code": "ALH-MAIN", "name": "ALH-main", "time_zone": "Asia/Riyadh", "ids": ["1", "ALH-main"]}
        ],
        "rate_limits": {"*": {"events_per_hour": 1_000_000, "requests_per_minute": 1_000_000}},
    },
    "news2_config": {"not": "ours"},
}


@dataclass
class Trustomer:
    """What the service knows and remembers. Threads of the server share it under `lock`."""

    customer_code: str
    api_key: str
    failing: bool = False
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)  # HTTP status -> how often
    lock: Lock = field(default_factory=Lock)

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body for a request of the Connector; counts it."""
        with self.lock:
            status = self._status(path, headers)
            self.answered[str(status)] = self.answered.get(str(status), 0) + 1
            changed = {name: CONFIGURATION.get(name, {}) | change for name, change in self.changes.items()}
            return status, CONFIGURATION | changed if status == 200 else {"error": status}

    def _status(self, path: str, headers: dict[str, str]) -> int:
        if self.failing:
            return 503
        if headers.get("authorization") != self.api_key:
            return 401
        if headers.get("x-product") != "polaris" or headers.get("x-trustomer") != self.customer_code:
            return 400
        return 200 if path == f"/dhos/v1/trustomer/{self.customer_code}" else 404


class Handler(BaseHTTPRequestHandler):
    """HTTP in front of one Trustomer."""

    trustomer: Trustomer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the Connector, or show the tests what was asked for."""
        if self.path == "/control":
            self._send(200, {"answered": self.trustomer.answered})
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(*self.trustomer.answer(self.path, headers))

    def do_PUT(self) -> None:
        """Take the tests' orders."""
        orders = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.trustomer.lock:
            self.trustomer.failing = orders["failing"]
            self.trustomer.changes = orders["changes"]
        self._send(200, {})

    def log_message(self, *_: object) -> None:
        """Keep quiet: headers carry a key."""

    def _send(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve until the process is ended."""
    Handler.trustomer = Trustomer(os.environ["CUSTOMER_CODE"].lower(), os.environ["POLARIS_API_KEY"])
    host, _, port = os.environ["TRUSTOMER_LISTEN"].rpartition(":")
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()

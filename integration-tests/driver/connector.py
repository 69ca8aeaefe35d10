"""The Connector as its callers see it: one method a request, answers read back into the domain."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests

from driver import tokens
from driver.messages import Message
from driver.surroundings import Surroundings

#: Seconds an answer may take before it counts as none.
TIMEOUT = 10


@dataclass(frozen=True)
class Ack:
    """An acknowledgement, read without the Connector's own reader."""

    code: str  # MSA-1
    control_id: str  # MSA-2
    error: str  # ERR-3.1, table 0357

    @classmethod
    def read(cls, raw: bytes) -> "Ack":
        """Read an acknowledgement with the usual delimiters. Raises AssertionError where it is none."""
        text = raw.decode()
        assert text.startswith("MSH|^~\\&|"), "the answer is no HL7 message"
        assert text.endswith("\r"), "the last segment does not end in CR"
        found = {line.split("|")[0]: line.split("|") for line in text.split("\r") if line}
        error = found.get("ERR", [])
        return cls(found["MSA"][1], found["MSA"][2], error[3].split("^")[0] if len(error) > 3 else "")

    def expect(self, code: str) -> None:
        """Raise AssertionError unless that is the code."""
        assert self.code == code, f"answered {self.code} (error {self.error or 'none'}) and not {code}"


@dataclass(frozen=True)
class Answer:
    """What came back from POST message: the stored message's uuid (JSON only) and the ACK."""

    uuid: str | None
    ack: Ack
    raw: bytes


class Connector:
    """One running Connector and the tokens to call it with."""

    def __init__(self, address: str, around: Surroundings) -> None:
        self.address = address
        self.around = around
        self._session = requests.Session()

    def request(
        self, method: str, path: str, *, token: str | None = None, **options: Any
    ) -> requests.Response:
        """Any request; `token` None sends none."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        address = f"{self.address}{path}"
        return self._session.request(method, address, headers=headers, timeout=TIMEOUT, **options)

    def post(self, message: Message, *, token: str | None = None, request_id: str | None = None) -> Answer:
        """Send a message in JSON, as the EPR service adapter unless `token` is somebody else's."""
        body = {"type": "HL7v2", "body": base64.b64encode(message.raw).decode()}
        headers = {"X-Request-ID": request_id} if request_id else {}
        token = token or tokens.epr_adapter(self.around)
        response = self.request("POST", "/dhos/v1/message", token=token, json=body, headers=headers)
        answer = _expect(response, 200).json()
        assert answer["type"] == "HL7v2"
        raw = base64.b64decode(answer["body"])
        return Answer(answer["uuid"], Ack.read(raw), raw)

    def post_raw(self, message: Message) -> Answer:
        """Send a message as HL7 over HTTP."""
        headers = {"Content-Type": "application/hl7-v2"}
        token = tokens.epr_adapter(self.around)
        response = _expect(
            self.request("POST", "/dhos/v1/message", token=token, data=message.raw, headers=headers), 200
        )
        assert response.headers["Content-Type"].startswith("application/hl7-v2"), response.headers
        return Answer(None, Ack.read(response.content), response.content)

    def get(self, uuid: str) -> dict[str, Any]:
        """The stored message."""
        found: dict[str, Any] = _expect(self._read(f"/dhos/v1/message/{uuid}"), 200).json()
        return found

    def mark_processed(self, uuid: str) -> None:
        """What the platform does when it has applied a message's actions."""
        token = tokens.internal(self.around, tokens.WRITE)
        _expect(
            self.request("PATCH", f"/dhos/v1/message/{uuid}", token=token, json={"is_processed": True}), 204
        )

    def by_control_id(self, control_id: str) -> list[dict[str, Any]]:
        """Search by MSH-10."""
        return _list(self._read(f"/dhos/v1/message/search/{control_id}"))

    def by_identifier(self, kind: str, value: str) -> list[dict[str, Any]]:
        """Search by an identifier of the patient or visit; the first page."""
        return _list(self.page(kind, value))

    def page(self, kind: str, value: str, limit: int | None = None) -> requests.Response:
        """One page of a search; `limit` None leaves the page's length to the Connector."""
        wanted: dict[str, Any] = {"identifier_type": kind, "identifier": value, "fields": "body"}
        if limit:
            wanted["limit"] = limit
        return self._read("/dhos/v1/message/search", params=wanted)

    def following(self, page: requests.Response) -> requests.Response | None:
        """The page that the answer's Link header names, if there is one."""
        link = page.links.get("next")
        return self._read(urljoin(page.url, link["url"]).removeprefix(self.address)) if link else None

    def post_observations(
        self, body: dict[str, Any], *, token: str | None = None, request_id: str | None = None
    ) -> requests.Response:
        """Send an observation set, as the platform unless `token` is somebody else's."""
        return self._post_outgoing("/dhos/v1/oru_message", body, token, request_id)

    def post_document(
        self, content: str, *, token: str | None = None, request_id: str | None = None
    ) -> requests.Response:
        """Send a CDA document, as the platform unless `token` is somebody else's."""
        body = {"type": "HL7v3CDA", "content": content}
        return self._post_outgoing("/dhos/v1/cda_message", body, token, request_id)

    def _post_outgoing(
        self, path: str, body: dict[str, Any], token: str | None, request_id: str | None
    ) -> requests.Response:
        headers = {"X-Request-ID": request_id} if request_id else {}
        token = token or tokens.internal(self.around, tokens.WRITE)
        return self.request("POST", path, token=token, json=body, headers=headers)

    def deliveries(self, **wanted: str) -> list[dict[str, Any]]:
        """The newest deliveries, narrowed down by state, destination, message_uuid ..."""
        return _list(self._read("/dhos/v1/delivery", params=wanted))

    def delivery(self, uuid: str) -> dict[str, Any]:
        """One delivery with every attempt."""
        found: dict[str, Any] = _expect(self._read(f"/dhos/v1/delivery/{uuid}"), 200).json()
        return found

    def operate(self, order: str, delivery_uuid: str) -> dict[str, Any]:
        """What an engineer does with a delivery: `retry` or `cancel`; the delivery after that."""
        token = tokens.internal(self.around, tokens.WRITE)
        path = f"/dhos/v1/delivery/{delivery_uuid}/{order}"
        done: dict[str, Any] = _expect(self.request("POST", path, token=token), 200).json()
        return done

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric with those labels, in the Prometheus text format; 0 while it is not there.

        In PRODUCTION metrics have a port of their own; that of the other Connector is not asked.
        """
        text = _expect(self._session.get(f"{self.around.metrics}/metrics", timeout=TIMEOUT), 200).text
        labelled = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(each in line for each in labelled))

    def _read(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, token=tokens.internal(self.around, tokens.READ), **options)


def _expect(response: requests.Response, status: int) -> requests.Response:
    assert response.status_code == status, f"{response.status_code} and not {status}: {response.text[:500]}"
    return response


def _list(response: requests.Response) -> list[dict[str, Any]]:
    found = _expect(response, 200).json()
    assert isinstance(found, list), "the answer is no list"
    return found

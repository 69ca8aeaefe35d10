"""An EPR service adapter: takes ORU messages over HTTP, acknowledges them, and can be told to misbehave.

Run `python -m fakes.epr`. EPR_LISTEN is `host:port`; EPR_SERVICE_ADAPTER_ISSUER and
EPR_SERVICE_ADAPTER_HS_KEY are what the Connector has to come with. Besides what every fake can
(`control.py`): `accept` and `CA` take a message, `AE`, `AR`, `CE` and `CR` refuse it, `other`
acknowledges another message, `no ack` answers JSON without one, `lost` takes it and resets.
"""

import base64
import json
import os
from typing import Any

import jwt

from fakes.control import Fake, FakeHandler, listen_address

_TAKEN = {"accept": "AA", "CA": "CA"}
_REFUSED = ("AE", "AR", "CE", "CR")
#: What an EPR says of a patient it does not know.
REASON = "NOT ON FILE"


class FakeEpr(Fake):
    """The adapter; `taken` are the messages it has applied, in order, a message taken twice twice.

    `reason` is what it says when it refuses.
    """

    reason = REASON

    def __init__(self, address: tuple[str, int], issuer: str, key: str) -> None:
        super().__init__(address, _Handler)
        self.issuer = issuer
        self.key = key
        self.taken: list[str] = []

    def shown(self) -> dict[str, Any]:
        """Also the messages that were taken, as text."""
        return super().shown() | {"taken": list(self.taken)}


class _Handler(FakeHandler):
    """HTTP in front of the adapter."""

    server: FakeEpr

    def do_POST(self) -> None:  # noqa: N802
        """Take one message, or do with it what was ordered."""
        body = self.body()
        if self.path != "/epr/v1/hl7_message" or not self._is_known():
            self.answer(404 if self._is_known() else 401)
            return
        content = json.loads(body)
        assert content["type"] == "hl7v2", "the type is not hl7v2"
        text = base64.b64decode(content["body"], validate=True).decode()
        control_id = text.split("\r")[0].split("|")[9]
        behaviour = self.server.behaviours.next_for(control_id, self.headers.get("X-Request-ID", ""))
        self._answer(behaviour, text, control_id)

    def _is_known(self) -> bool:
        """Whether the token is one of the Connector's for us."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            claims = jwt.decode(
                token,
                self.server.key,
                algorithms=["HS512"],
                audience=self.server.issuer,
                issuer=self.server.issuer,
                options={"require": ["exp", "iat"]},
            )
        except jwt.InvalidTokenError:
            return False
        return scheme == "Bearer" and isinstance(claims.get("scope"), str)

    def _answer(self, behaviour: str, text: str, control_id: str) -> None:
        if behaviour in (*_TAKEN, "lost"):
            self.server.taken.append(text)
        if behaviour == "lost":
            self.fail("reset")
        elif behaviour in _TAKEN:
            self._acknowledge(_TAKEN[behaviour], control_id, "\r")
        elif behaviour in _REFUSED:
            error = f"ERR||PID^1^3|204^Unknown key^HL70357|E||||{self.server.reason}"
            self._acknowledge(behaviour, control_id, "\n", error)
        elif behaviour == "other":
            self._acknowledge("AA", f"{control_id}X", "\r\n")
        elif behaviour == "no ack":
            self.answer_json(200, {"type": "hl7v2"})
        elif not self.fail(behaviour):
            raise ValueError(behaviour)

    def _acknowledge(self, code: str, control_id: str, line_end: str, *more: str) -> None:
        header = "MSH|^~\\&|EPR|RBH|DHOS|DHOS|20260101000000||ACK^R01^ACK|A1|P|2.6"
        ack = line_end.join((header, f"MSA|{code}|{control_id}", *more, ""))
        body = base64.b64encode(ack.encode()).decode()
        self.answer_json(200, {"type": "hl7v2", "body": body})


def main() -> None:
    """Serve until the process is ended."""
    issuer, key = os.environ["EPR_SERVICE_ADAPTER_ISSUER"], os.environ["EPR_SERVICE_ADAPTER_HS_KEY"]
    FakeEpr(listen_address("EPR_LISTEN"), issuer, key).serve_forever()


if __name__ == "__main__":
    main()

"""Posts HL7 v2 messages to a Connector, as an EPR does over HTTPS, and says what each was answered."""

import base64

import requests

from dhos_connector_api import clock
from dhos_connector_api.simulate.answers import Answer, understood

_TIMEOUT = 30
#: Characters of an error's text that are shown.
_SHOWN = 200


class HttpClient:
    """One sender, to the Connector at `url`, with a token. `raw` posts application/hl7-v2, not JSON."""

    def __init__(self, url: str, token: str, *, raw: bool) -> None:
        self.address = f"{url.rstrip('/')}/dhos/v1/message"
        self._raw = raw
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def send(self, message: bytes) -> Answer:
        """Post one message. Raises ConnectionError where nobody answers."""
        began = clock.monotonic()
        try:
            answer = self._post(message)
        except requests.RequestException as error:
            raise ConnectionError(type(error).__name__) from None
        seconds = clock.monotonic() - began
        if not answer.ok:
            return Answer(f"HTTP {answer.status_code}", reason=answer.text[:_SHOWN], seconds=seconds)
        ack = answer.content if self._raw else base64.b64decode(answer.json()["body"])
        return understood(ack, seconds)

    def _post(self, message: bytes) -> requests.Response:
        if self._raw:
            headers = {"Content-Type": "application/hl7-v2"}
            return self._session.post(self.address, data=message, headers=headers, timeout=_TIMEOUT)
        body = {"type": "HL7v2", "body": base64.b64encode(message).decode()}
        return self._session.post(self.address, json=body, timeout=_TIMEOUT)

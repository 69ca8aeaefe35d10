"""Sends what the simulated HIS sends, and checks every answer against what it has told so far."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

import requests

from dhos_connector_api.actions.his.visits import VisitTypes
from dhos_connector_api.auth.signatures import Secret, plain_signature, standard_signature
from dhos_connector_api.errors import BadInput
from dhos_connector_api.simulate.hospital.his import Transmission

PATIENT_DATA = "/api/integrations/his-patient-data/"
WEBHOOK = "/api/v1/webhooks/his/events"
_JSON = {"Content-Type": "application/json"}
_TIMEOUT = 30
#: Answers after which a HIS tries again, and how often it does.
_TRY_AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ATTEMPTS = 5


@dataclass(slots=True)
class Summary:
    """The counts of what was sent and answered. `surprises` are in our words and name no patient."""

    answers: Counter[str] = field(default_factory=Counter)
    new_stages: int = 0
    surprises: list[str] = field(default_factory=list)


class SimulatedHis:
    """Sends to one Connector. `secret` signs webhooks; `pause` waits that many seconds."""

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        *,
        secret: Secret | None,
        now: Callable[[], datetime],
        pause: Callable[[float], object],
    ) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._headers = {**_JSON, **headers}
        self._secret = secret
        self._now = now
        self.pause = pause
        self._types = VisitTypes()
        self.summary = Summary()

    def send(self, transmission: Transmission) -> None:
        """Send one transmission and note what was answered. Raises BadInput where nobody answers."""
        if transmission.is_webhook:
            answer = self._post(WEBHOOK, transmission.body, lambda: self._signed(transmission.body))
            status = str(answer.json().get("status")) if answer.status_code == HTTPStatus.OK else ""
            self._note(answer, f"webhook {status}".strip())
            return
        answer = self._post(PATIENT_DATA, transmission.body, lambda: self._headers)
        self._note(answer, "payload")
        if answer.status_code == HTTPStatus.OK:
            self._compare(transmission, answer)

    def _post(self, path: str, body: bytes, headers: Callable[[], dict[str, str]]) -> requests.Response:
        """One request, again after 429 and 503 as they say."""
        for attempt in range(_ATTEMPTS):
            try:
                answer = self._session.post(
                    self._url + path, data=body, headers=headers(), timeout=_TIMEOUT, allow_redirects=False
                )
            except requests.RequestException as error:
                raise BadInput(f"{self._url} did not answer ({type(error).__name__})") from None
            if answer.status_code not in _TRY_AGAIN or attempt == _ATTEMPTS - 1:
                break
            self.summary.answers[f"told to wait ({answer.status_code})"] += 1
            self.pause(float(answer.headers.get("Retry-After", "1")))
        return answer

    def _signed(self, body: bytes) -> dict[str, str]:
        """The headers of a webhook: both forms in turn, decided by the body so that a repeat is alike."""
        if self._secret is None:
            raise BadInput("webhooks need HIS_WEBHOOK_SECRET")
        signature = plain_signature(self._secret, body)
        if signature[-1] in "02468ace":
            return {**_JSON, "X-HIS-Signature": f"sha256={signature}"}
        id_, timestamp = f"msg_{signature[:16]}", str(int(self._now().timestamp()))
        return {
            **_JSON,
            "webhook-id": id_,
            "webhook-timestamp": timestamp,
            "webhook-signature": standard_signature(self._secret, id_, timestamp, body),
        }

    def _note(self, answer: requests.Response, what: str) -> None:
        known = answer.status_code == HTTPStatus.OK
        self.summary.answers[what if known else f"{what}: HTTP {answer.status_code}"] += 1
        if not known:
            self.summary.surprises.append(f"{what} was answered {answer.status_code}")

    def _compare(self, transmission: Transmission, answer: requests.Response) -> None:
        """Note a surprise unless the completed stages are the visits sent whose types are known."""
        body = answer.json()
        self.summary.new_stages += len(body["new_stages"])
        expected = {each for each in transmission.visits_sent if self._types.code(each)}
        completed = set(body["completed_stages"])
        if not expected <= completed:
            self.summary.surprises.append("a visit that was told is not among the completed stages")
        if not completed <= transmission.visits_sent:
            self.summary.surprises.append("a completed stage was never told")

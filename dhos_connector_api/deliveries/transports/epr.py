"""ORU messages to the EPR service adapter: HL7 in JSON over HTTP, answered by an acknowledgement."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dhos_connector_api import clock
from dhos_connector_api.auth import jwt
from dhos_connector_api.deliveries.rules.acknowledgement import judge, left_open
from dhos_connector_api.deliveries.rules.outcome import Accepted, Outgoing
from dhos_connector_api.deliveries.transports import http


@dataclass(frozen=True, slots=True)
class EprTransport:
    """Posts to `url_base` with tokens in the adapter's own name: issuer and audience are its issuer."""

    url_base: str
    issuer: jwt.Issuer
    scope: str
    token_life: timedelta
    now: Callable[[], datetime] = clock.now

    def __call__(self, outgoing: Outgoing) -> Accepted:
        """Send one message. Raises DeliveryFailed unless it was acknowledged with AA or CA."""
        reply = http.request(
            "POST",
            f"{self.url_base.rstrip('/')}/epr/v1/hl7_message",
            seconds=outgoing.seconds,
            headers={
                "Authorization": f"Bearer {self._token()}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "X-Request-ID": outgoing.correlation_id,
            },
            body=b'{"type": "hl7v2", "body": "%b"}' % base64.b64encode(outgoing.body),
        )
        if not reply.succeeded:
            raise http.refusal(reply, self.now())
        return judge(_acknowledgement(reply), outgoing.control_id, reply.status)

    def _token(self) -> str:
        return jwt.issue(
            self.issuer,
            audience=self.issuer.iss,
            scopes=self.scope.split(),
            now=self.now(),
            lifetime=self.token_life,
        )


def _acknowledgement(reply: http.Reply) -> bytes:
    """The bytes in the answer's `body`. Raises DeliveryFailed when there are none."""
    try:
        answer: Any = json.loads(reply.body)
        return base64.b64decode("".join(answer["body"].split()), validate=True)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        raise left_open("answered without an acknowledgement", reply.status, None) from None

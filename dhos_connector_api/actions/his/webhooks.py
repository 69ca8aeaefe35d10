"""Signed webhooks: the events each source sends, and reading the body of our own schema (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from dhos_connector_api.actions.his.dates import FIRST_YEAR, LAST_YEAR, read_instant
from dhos_connector_api.actions.his.json_fields import Text, Trimmed
from dhos_connector_api.hl7v2.identifier_values import plain
from dhos_connector_api.hl7v2.identifiers import MRN, VISIT_ID

#: The events each source sends; all others are kept as ignored.
KNOWN = {
    "his": frozenset(
        {
            "APPOINTMENT_CONFIRMED",
            "APPOINTMENT_CANCELLED",
            "VISIT_STARTED",
            "VISIT_COMPLETED",
            "PAYMENT_COMPLETED",
            "PRESCRIPTION_ISSUED",
        }
    ),
    "lis": frozenset({"RESULT_AVAILABLE"}),
    "emr": frozenset({"DOCUMENT_SIGNED"}),
}


def known_code(source: str, event: str) -> str | None:
    """Return the canonical code of an event as that source names it; None: it is nothing to us."""
    code = event.upper()
    return code if code in KNOWN[source] else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook that fits. `event` is as sent, trimmed; `occurred_at` in UTC."""

    event: str
    occurred_at: datetime
    event_id: str | None = None
    patient_code: str | None = None
    visit_id: str | None = None
    data: Mapping[str, Any] | None = None

    @property
    def identifiers(self) -> list[tuple[str, str]]:
        """Return the identifiers it is found under in the message store."""
        pairs = ((MRN, plain(self.patient_code or "")), (VISIT_ID, self.visit_id))
        return [(kind, value) for kind, value in pairs if value]


class _Instant(fields.Field[datetime]):
    """ISO 8601 with an offset, in years that every zone and PostgreSQL can hold."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> datetime:
        try:
            found = read_instant(str(value), None)
        except (ValueError, OverflowError):
            raise ValidationError("Not a valid date and time with an offset.") from None
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValidationError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
        return found.astimezone(UTC)  # Python knows offsets that PostgreSQL refuses


class _WebhookSchema(Schema):
    event_id = Text(allow_none=True)
    event = Trimmed(required=True)
    occurred_at = _Instant(required=True)
    patient_code = Text(allow_none=True)
    visit_id = Text(allow_none=True)
    data = fields.Dict(allow_none=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Webhook:
        return Webhook(**data)


_WEBHOOK = _WebhookSchema(unknown=EXCLUDE)


def read_webhook(value: Mapping[str, Any]) -> Webhook | dict[str, list[str]]:
    """Return what a body that fits the specification says, or its faults by field."""
    try:
        webhook: Webhook = _WEBHOOK.load(value)
    except ValidationError as error:
        return {name: [str(text) for text in texts] for name, texts in error.messages_dict.items()}
    return webhook

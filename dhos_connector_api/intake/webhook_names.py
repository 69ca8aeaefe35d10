"""What names a webhook: an id of one kind or another, else its bytes; and what it is kept under (pure)."""

import hashlib
from dataclasses import dataclass

#: The kinds of ids.
EVENT_ID, WEBHOOK_ID, BODY = "event_id", "webhook-id", "body"


@dataclass(frozen=True, slots=True)
class WebhookName:
    """The name of a webhook of that source: `text` is an id of that `kind`, or the hash of its body."""

    source: str
    kind: str
    text: str

    @property
    def identities(self) -> tuple[bytes, ...]:
        """Return what its event may be kept under: without the kind of its id, else with it.

        Builds that knew no kinds kept all ids under the first, and look for it there while they run beside
        us. The second is for the other kind of webhook with the same name: it comes later, and is kept too.
        """
        if self.kind == BODY:
            return (self._digest(BODY),)
        return self._digest("id"), self._digest(self.kind)

    def key_of_other(self, raw: bytes) -> bytes:
        """Return by what another webhook under this name is known again: by its bytes."""
        return hashlib.sha256(b"webhook conflict\0" + self.identities[-1] + raw).digest()

    def _digest(self, kind: str) -> bytes:
        text = f"webhook\0{self.source}\0{kind}\0{self.text}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def name_of(source: str, event_id: str | None, signed_id: str | None, raw: bytes) -> WebhookName:
    """Return what names a webhook: its `event_id`, else its `webhook-id`, which was signed, else its body."""
    if event_id is not None:
        return WebhookName(source, EVENT_ID, event_id)
    if signed_id is not None:
        return WebhookName(source, WEBHOOK_ID, signed_id)
    return WebhookName(source, BODY, hashlib.sha256(raw).hexdigest())

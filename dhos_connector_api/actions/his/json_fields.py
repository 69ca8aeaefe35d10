"""Fields of JSON bodies whose senders write a number where a text belongs, and blanks around it (pure)."""

from typing import Any

from marshmallow import fields


class Text(fields.Field[str | None]):
    """A text, number or flag as text, trimmed; None where that leaves nothing."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str | None:
        return str(value).strip() or None


class Trimmed(fields.Field[str]):
    """The same where nothing is left as well: an empty text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        return str(value).strip()

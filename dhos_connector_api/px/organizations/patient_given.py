"""What a body says of a patient, as it is kept: by column, texts trimmed, empty ones null.

Nothing of what was given is quoted in what is told to be wrong.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from dhos_connector_api.px.organizations import contact
from dhos_connector_api.px.organizations.given import Faults
from dhos_connector_api.px.organizations.identity import MRN, Identifier, folded
from dhos_connector_api.px.organizations.languages import LANGUAGES
from dhos_connector_api.px.organizations.resources import Status

#: The writable fields of a patient's JSON but for the identifiers, and the columns they are kept in.
FIELDS: Mapping[str, str] = {
    name: name
    for name in (
        *("mrn", "national_id", "first_name", "last_name", "first_name_ar", "last_name_ar"),
        *(
            "date_of_birth",
            "gender",
            "phone",
            "email",
            "language",
            "address",
            "city",
            "deceased_at",
            "status",
        ),
    )
} | {"primary_hospital": "hospital_id"}
_REQUIRED = ("first_name", "last_name", "primary_hospital")
_BLANK = "may not be blank"
_UNKEPT = "has a character that cannot be kept"
_NO_DATE = "is no date"
_NO_TIME = "is no point in time with its zone"
_NO_UUID = "is no UUID"
_NO_LANGUAGE = "is no language (two letters, ISO 639-1)"


def columns_of(
    body: Mapping[str, Any], before: Mapping[Any, Any] | None, faults: Faults, *, whole: bool
) -> dict[str, Any]:
    """Return the values of all columns after a body has been taken over what was there `before`.

    `whole`: fields that the body does not name become null; the status is active.
    """
    columns: dict[str, Any] = {}
    for name, column in FIELDS.items():
        if name in body:
            columns[column] = _read(name, body[name], faults)
        elif before is not None and not whole:
            columns[column] = before[column]
        else:
            columns[column] = None
        is_asked = before is None or whole or name in body
        if is_asked and name in _REQUIRED and columns[column] is None and name not in faults.found:
            faults.add(name, _BLANK)
    columns["status"] = columns["status"] or Status.ACTIVE
    return columns


def check_contact(
    columns: dict[str, Any], before: Mapping[Any, Any] | None, region: str | None, faults: Faults
) -> None:
    """Add the number in its international form, and note what is no number, address or language.

    What was there before and stays is not looked at: the feed keeps what it is told.
    """

    def is_new(name: str) -> bool:
        return columns[name] is not None and (before is None or before[name] != columns[name])

    if is_new("phone"):
        faults.add("phone", contact.phone_fault(columns["phone"], region))
    if is_new("email"):
        faults.add("email", contact.email_fault(columns["email"]))
    if is_new("language") and columns["language"] not in LANGUAGES:
        faults.add("language", _NO_LANGUAGE)
    phone = columns["phone"]
    columns["phone_e164"] = None if phone is None else contact.phone_e164(phone, region)


def identifiers_of(given: Iterable[Mapping[str, str]], faults: Faults) -> set[Identifier]:
    """Return the identifiers of a body; the authority of an MRN is a facility, as the feed compares it."""
    found = set()
    for each in given:
        parts = [_text("identifiers", each[name], faults) for name in ("authority", "type", "value")]
        authority, kind, value = (part or "" for part in parts)
        if not (authority and kind and value):
            faults.add("identifiers", _BLANK)
        found.add(Identifier(folded(authority) if kind == MRN else authority, kind, value))
    return found


def _read(name: str, given: Any, faults: Faults) -> Any:
    text = None if given is None else _text(name, given, faults)
    if text is None:
        return None
    if name == "primary_hospital":
        return _parsed(name, UUID, text, _NO_UUID, faults)
    if name == "date_of_birth":
        return _parsed(name, date.fromisoformat, text, _NO_DATE, faults)
    if name == "deceased_at":
        return _parsed(name, _instant, text, _NO_TIME, faults)
    return text


def _text(name: str, given: str, faults: Faults) -> str | None:
    if "\0" in given:
        faults.add(name, _UNKEPT)
    return given.strip() or None


def _parsed(name: str, parse: Any, text: str, fault: str, faults: Faults) -> Any:
    try:
        return parse(text)
    except (ValueError, OverflowError):
        faults.add(name, fault)
        return None


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)

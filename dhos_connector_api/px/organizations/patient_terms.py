"""What a search of patients asks for (pure): the one text, read as each of the things it may be."""

import re
from dataclasses import dataclass

from dhos_connector_api.px.organizations.folding import beginnings

#: The columns whose words a patient is found by.
NAMES = ("first_name", "last_name", "first_name_ar", "last_name_ar")
#: Fewer digits than these would find a good part of all numbers.
FEWEST_DIGITS = 6
_PHONE = re.compile(r"\+?[\d\s().\-/]+")
_PREFIX = re.compile(r"^(?:00|0)")


@dataclass(frozen=True, slots=True)
class Terms:
    """The text as an identifier, as beginnings of names (a `tsquery`), as an address, as a number's end."""

    identifier: str
    names: str | None
    email: str | None
    phone_end: str | None


def terms(text: str) -> Terms:
    """Return what the text may be.

    >>> terms("+44 (0)7700 900123").phone_end, terms("Mül ibr").names, terms("A@B.example").email
    ('7700900123', "'mul':* & 'ibr':*", 'a@b.example')
    """
    given = text.strip()
    return Terms(
        identifier=given,
        names=beginnings(given),
        email=given.lower() if "@" in given else None,
        phone_end=_phone_end(given),
    )


def backwards(phone_e164: str) -> str:
    """Return a number's digits from its end, as an index by its end keeps them."""
    return _digits(phone_e164)[::-1]


def _phone_end(text: str) -> str | None:
    """Return the digits that a number found ends with, without a trunk zero; None for no number."""
    if not _PHONE.fullmatch(text):
        return None
    if "(0)" in text:
        text = text.split("(0)", 1)[1]
    digits = _digits(text)
    end = digits if text.startswith("+") else _PREFIX.sub("", digits)
    return end if len(end) >= FEWEST_DIGITS else None


def _digits(text: str) -> str:
    """Return the decimal digits as ASCII ones: Arabic keyboards write others."""
    return "".join(str(int(sign)) for sign in text if sign.isdecimal())

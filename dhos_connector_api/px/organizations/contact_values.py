"""Telephone numbers, e-mail addresses and languages as they are kept; else as they were told (pure)."""

from functools import lru_cache

from email_validator import EmailNotValidError, validate_email
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
)

#: Longest text that is looked at: nobody's number is longer.
_LONGEST = 250
#: Values that are kept at hand: to check one takes a fifth of an envelope's time, and patients come again.
_KEPT = 1_000
#: ISO 639-1 by other spellings of HL7 senders: ISO 639-2, and words.
_LANGUAGES = {
    **dict.fromkeys(("ara", "arabic", "عربي", "العربية"), "ar"),
    **dict.fromkeys(("eng", "english"), "en"),
    **dict.fromkeys(("fra", "fre", "french"), "fr"),
    **dict.fromkeys(("urd", "urdu"), "ur"),
    **dict.fromkeys(("hin", "hindi"), "hi"),
    **dict.fromkeys(("vie", "vietnamese"), "vi"),
    **dict.fromkeys(("tha", "thai"), "th"),
    **dict.fromkeys(("spa", "spanish"), "es"),
    **dict.fromkeys(("deu", "ger", "german"), "de"),
}


@lru_cache(_KEPT)
def phone_e164(told: str, region: str | None) -> str | None:
    """Return a number as `+966501234567`; None where it is none.

    `region` is ISO 3166-1 alpha-2, the hospital's; without one only international numbers are read.
    """
    if len(told) > _LONGEST:
        return None
    try:
        number = parse(told, region)
    except NumberParseException:
        return None
    return format_number(number, PhoneNumberFormat.E164) if is_valid_number(number) else None


@lru_cache(_KEPT)
def email(told: str) -> str:
    """Return an address in its normal form; as told where it is none. Nobody is asked for its domain."""
    if len(told) > _LONGEST:
        return told
    try:
        return validate_email(told, check_deliverability=False).normalized
    except EmailNotValidError:
        return told


def language(told: str) -> str:
    """Return the two letters of ISO 639-1 (`en-GB` is `en`); what is none in lower case as told."""
    word = told.strip().lower()
    first = word.replace("_", "-").partition("-")[0]
    return _LANGUAGES.get(word) or _LANGUAGES.get(first) or (first if len(first) == 2 else word)  # noqa: PLR2004

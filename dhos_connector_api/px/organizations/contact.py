"""Whether a telephone number, an address of e-mail and a country can be what they say (pure).

Numbers and addresses are kept as they were given; a number without a country code is one of the region.
"""

import email_validator
import phonenumbers

_NO_PHONE = "is no telephone number"
_NO_NATIONAL = (
    "is no telephone number; without a region of the hospital it begins with + and the country's code"
)
_NO_EMAIL = "is no e-mail address"
_NO_REGION = "is no country (two letters, ISO 3166-1)"


def phone_fault(text: str, region: str | None) -> str | None:
    """Return why the text is no possible number in that region (ISO 3166-1 alpha-2); None where it is one."""
    if _parsed(text, region) is not None:
        return None
    return _NO_PHONE if region else _NO_NATIONAL


def phone_e164(text: str, region: str | None) -> str | None:
    """Return the number as +966501234567 (E.164); None where it is none."""
    number = _parsed(text, region)
    if number is None:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email_fault(text: str) -> str | None:
    """Return why the text is no address; None where it is one. No name server is asked."""
    try:
        email_validator.validate_email(text, check_deliverability=False, allow_display_name=False)
    except email_validator.EmailNotValidError:
        return _NO_EMAIL
    return None


def region_fault(text: str) -> str | None:
    """Return why the text is no country that has telephone numbers; None where it is one."""
    return None if text in phonenumbers.SUPPORTED_REGIONS else _NO_REGION


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None

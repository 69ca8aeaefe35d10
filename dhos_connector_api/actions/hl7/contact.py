"""Phone, email and language of a patient (PID-13 and PID-15; HL7 v2 chapter 3, type XTN of chapter 2A)."""

from dhos_connector_api.actions.hl7.values import part, sent
from dhos_connector_api.hl7v2.segment import Repetition, Segment

Contact = dict[str, str | None]

#: XTN.2 and XTN.3 codes (HL7 tables 0201 and 0202) of what is an address, or does not take a call.
EMAIL_CODES = frozenset({"NET", "INTERNET", "X.400", "EMAIL"})
NO_CALL_CODES = frozenset({"FX", "BP", "BPN", "MD"})


def read_contact(pid: Segment) -> Contact:
    """Return how to reach the patient: PID-13 (XTN), and PID-15.1, the language's code.

    `phone` is the first number of PID-13 that takes a call: XTN.1, else XTN.12 or, from senders
    that split it, country, area and local number (XTN.5 to XTN.7). `email` is the first XTN.4, or
    XTN.1 of a repetition that XTN.2 or XTN.3 marks as an address.
    """
    phone = email = None
    for repetition in pid.repeated(13):
        codes = {(part(repetition, 2) or "").upper(), (part(repetition, 3) or "").upper()}
        address = part(repetition, 4)
        if codes & EMAIL_CODES:
            address = address or part(repetition, 1)
        elif phone is None and not codes & NO_CALL_CODES:
            phone = _number(repetition)
        email = email or address
    return {"phone": phone, "email": email, "language": sent(pid, 15)}


def _number(repetition: Repetition) -> str | None:
    whole = part(repetition, 1) or part(repetition, 12)
    if whole is not None:
        return whole
    country, area, local = (part(repetition, component) or "" for component in (5, 6, 7))
    if country and local:
        return f"+{country.lstrip('+')}{area.removeprefix('0')}{local}"
    return f"{area}{local}" or None

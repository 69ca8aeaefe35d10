"""Values of patient identifiers (CX.1, HL7 v2 chapter 2A): which are none, and how one is written (pure).

What is stored, published and searched is the same text, however the sender spaced it.
"""

from operator import mul
from unicodedata import category

#: Written where nothing is known, in capitals without blanks. So are `""`, zeros or X alone, and what has no
#: letter or digit.
_NONE = frozenset({"NULL", "NIL", "UNKNOWN", "UNK", "NOTKNOWN", "NONE", "N/A", "NA"})
#: Unicode categories of blanks, line breaks, control, zero-width and private-use characters.
_BLANK = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Co"})
_NHS_DIGITS = 10
_WEIGHTS = range(_NHS_DIGITS, 0, -1)


def plain(value: str) -> str:
    """Return the value without blanks of any kind, zero-width ones included; '' where it is no identifier."""
    if value.isalnum() and value.isascii() and value[0] in "123456789":
        return value  # the most frequent kind
    text = without_blanks(value)
    return "" if _says_nothing(text) else text


def without_blanks(value: str) -> str:
    """Return the value without blanks, and what else nobody can see, wherever it stands."""
    if value.isascii() and value.isalnum():
        return value
    return "".join([each for each in value if category(each) not in _BLANK])


def _says_nothing(text: str) -> bool:
    capitals = text.upper()
    if capitals in _NONE or not capitals.strip("X"):
        return True
    return not any(each.isalnum() and each != "0" for each in text)


def nhs_number(value: str) -> str:
    """Return the ten digits of an NHS number; '' where there are not ten, or the check digit is wrong.

    Whatever is no digit is left out first. The check digit is modulus 11 (NHS data dictionary, "NHS
    NUMBER"): with weights 10 to 1 over all ten digits the sum is a multiple of 11. Ten equal digits, which
    all are right by that, are none.
    """
    digits = digits_of(value)
    if len(digits) != _NHS_DIGITS or not digits.strip(digits[0]):
        return ""
    # The codes of digits stand for digits: 48 times the sum of the weights is a multiple of 11 too.
    return digits if sum(map(mul, digits.encode(), _WEIGHTS)) % 11 == 0 else ""


def digits_of(value: str) -> str:
    """Return the decimal digits of the value, of any script, as ASCII."""
    if value.isascii() and value.isdigit():
        return value
    return "".join([str(int(each)) for each in value if each.isdecimal()])

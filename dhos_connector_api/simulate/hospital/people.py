"""Invented people: names in several alphabets, dates of birth, check-summed NHS numbers (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from dhos_connector_api.simulate.hospital.names import NAMES, STREETS, TITLES, TOWNS, Names

#: As many numbers as begin with 999, of which some have no check digit.
_NUMBERS = 1_000_000
#: Steps through them that come by each once: it has no divisor in common with them.
_STRIDE = 611_953
#: What the check digit comes to where there is none (NHS data dictionary).
_NO_DIGIT = 10
#: The shares of people with an English name, with an e-mail address, and who live in a flat.
_ENGLISH, _WITH_EMAIL, _IN_A_FLAT = 0.45, 0.5, 0.1
_LONGEST_LIFE, _GROWN_UP = 98 * 365, 18 * 365


@dataclass(frozen=True, slots=True)
class Person:
    """A patient record. Everything but `mrn` and `sex` may be empty or None: nobody knows who it is."""

    mrn: str
    sex: str  # M | F
    family: str
    given: str
    title: str = ""
    nhs_number: str | None = None
    born: date | None = None
    street: str = ""
    town: str = ""
    postcode: str = ""
    phone: str = ""
    email: str = ""
    language: str = ""
    died: datetime | None = None


def nhs_number(nine_digits: str) -> str | None:
    """The NHS number that begins with these digits; None: they have no check digit (NHS data dictionary)."""
    weighted = sum(int(digit) * weight for digit, weight in zip(nine_digits, range(10, 1, -1), strict=True))
    check = (11 - weighted % 11) % 11
    return None if check == _NO_DIGIT else f"{nine_digits}{check}"


def nhs_numbers(first: int) -> Iterator[str]:
    """Numbers of the range kept for tests (they begin with 999), each once: some 909,000."""
    for step in range(_NUMBERS):
        if (number := nhs_number(f"999{(first + step * _STRIDE) % _NUMBERS:06}")) is not None:
            yield number


def person(random: Random, *, mrn: str, nhs_number: str, on: date) -> Person:
    """Somebody who is alive on that day."""
    names, sex, days = _names(random), random.choice("MF"), random.randrange(_LONGEST_LIFE)
    town, postcode = random.choice(TOWNS)
    return Person(
        mrn=mrn,
        sex=sex,
        family=random.choice(names.families),
        given=random.choice(names.men if sex == "M" else names.women),
        title=random.choice(TITLES[sex]) if days > _GROWN_UP else "",
        nhs_number=nhs_number,
        born=on - timedelta(days=days),
        street=street(random),
        town=town,
        postcode=postcode,
        phone=phone(random),
        email=f"patient.{mrn.lower()}@example.org" if random.random() < _WITH_EMAIL else "",
        language=names.language,
    )


def unidentified(random: Random, *, mrn: str) -> Person:
    """Somebody nobody knows yet."""
    return Person(mrn=mrn, sex=random.choice("MF"), family="UNKNOWN", given="UNKNOWN")


def street(random: Random) -> str:
    """A place to live at; `&` in it has to be escaped."""
    flat = f"Flat {random.randrange(1, 9)} & " if random.random() < _IN_A_FLAT else ""
    return f"{flat}{random.randrange(1, 200)} {random.choice(STREETS)}"


def phone(random: Random) -> str:
    """A number of the range that Ofcom keeps for fiction."""
    return f"07700 900{random.randrange(1000):03}"


def _names(random: Random) -> Names:
    return NAMES[0] if random.random() < _ENGLISH else random.choice(NAMES[1:])

"""The parts of a name that comes as one field, in any alphabet; sex and flags in words (pure)."""

from dataclasses import dataclass

from dhos_connector_api.actions.hl7.patient import SEXES, UNKNOWN_SEX
from dhos_connector_api.actions.readable import readable

_MALE, _FEMALE, _INDETERMINATE = SEXES["M"], SEXES["F"], SEXES["I"]
#: SNOMED CT codes by the spellings of `Gender` we have seen, in upper case.
GENDERS = {
    **SEXES,
    **dict.fromkeys(("MALE", "MAN", "BOY", "ذكر", "ชาย", "男"), _MALE),
    **dict.fromkeys(("FEMALE", "WOMAN", "GIRL", "أنثى", "انثى", "หญิง", "女"), _FEMALE),
    **dict.fromkeys(("INDETERMINATE", "INTERSEX", "AMBIGUOUS"), _INDETERMINATE),
}
#: Left out at the beginning of a name.
_TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "dr", "prof", "master", "นาย", "นาง", "นางสาว", "د", "السيد", "السيدة"}
)
#: Belong to the word that follows them: a last name may begin with some of these.
_PARTICLES = frozenset(
    {"al", "el", "bin", "ibn", "bint", "abu", "آل", "بن", "بنت", "أبو"}
    | {"van", "von", "der", "den", "de", "da", "dos", "del", "la", "le"}
)


@dataclass(frozen=True, slots=True)
class Name:
    """`full` is the name as sent but for blanks and titles; None: nothing was sent."""

    full: str | None
    first: str | None
    last: str | None


def read_name(text: str | None) -> Name:
    """Return a name in its parts: the last word, with particles before it, is the last name.

    `LAST, First` is read as it stands; a single word is a first name. In some languages the family
    comes first and nothing tells: `full` is what to show.
    """
    words = _words(text)
    while len(words) > 1 and words[0].rstrip(".").casefold() in _TITLES:
        del words[0]
    full = " ".join(words)
    family, comma, given = full.partition(",")
    if comma and family.strip() and given.strip():
        return Name(full, given.strip(), family.strip())
    if not words[1:]:
        return Name(full or None, full or None, None)
    start = len(words) - 1
    while start > 1 and words[start - 1].casefold() in _PARTICLES:
        start -= 1
    return Name(full, " ".join(words[:start]), " ".join(words[start:]))


def _words(text: str | None) -> list[str]:
    """The words between any kind of blanks; control characters count as blanks."""
    return readable(text).split() if text else []


def read_gender(text: str | None) -> str:
    """Return the SNOMED CT code of a sex; unknown for every spelling not in the table, and for nothing."""
    return GENDERS.get((text or "").strip().upper(), UNKNOWN_SEX)


def read_flag(text: str | None) -> bool | None:
    """Return what `IsVIP` says: true, false, or None where it does not say."""
    word = (text or "").strip().casefold()
    if word in ("1", "y", "yes", "t", "true", "vip"):
        return True
    return False if word in ("0", "n", "no", "f", "false") else None

"""How names are compared in a search (pure): without accents, case and Arabic variants of letters."""

import re
import unicodedata

# Variants people type for one another: hamza on its seat, dotless yeh, teh marbuta, Persian kaf and yeh.
_LETTERS = str.maketrans(
    {
        "آ": "ا",
        "أ": "ا",
        "إ": "ا",
        "ٱ": "ا",
        "ى": "ي",
        "ئ": "ي",
        "ی": "ي",
        "ې": "ي",
        "ے": "ي",
        "ؤ": "و",
        "ة": "ه",
        "ۃ": "ه",
        "ە": "ه",
        "ہ": "ه",
        "ھ": "ه",
        "ک": "ك",
        "ڪ": "ك",
        "ء": None,
        "ـ": None,  # tatweel lengthens a word and is no letter
        # Latin letters that NFKD leaves whole.
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ı": "i",
    }
)
_ARTICLE = "ال"
_LONG_ENOUGH = 5  # with the article: three letters of its own
LONGEST_WORD = 64
MOST_WORDS = 8
_APART = re.compile(r"[\W_]+")  # what stands between words: blanks, hyphens, dots, apostrophes of every kind


def folded(name: str) -> str:
    """Return the name as it is compared: its words in lower case, one blank between them.

        >>> folded("  Müller-Łukasz "), folded("مُحَمَّـــد   إبراهيم")
        ('muller lukasz', 'محمد ابراهيم')

    Folding what is folded changes nothing. "" for what has no letter or digit.
    """
    text = _plain(_plain(name).casefold().translate(_LETTERS))
    # Casefolding and decomposing may each make work for the other (U+0130): the second round settles it.
    return _APART.sub(" ", text.replace("'", "").replace("\u2019", "")).strip()


def words(*names: str | None) -> list[str]:
    """Return the folded words of all the names, each once, in order, as the search keeps them.

    A word with the Arabic article is there without it too, and a code such as "ICU-3" also as "icu3".
    """
    found: set[str] = set()
    for name in filter(None, names):
        parts = folded(name).split()
        found.update(parts)
        found.update(part[2:] for part in parts if part.startswith(_ARTICLE) and len(part) >= _LONG_ENOUGH)
        if len(parts) > 1 and not any(sign.isspace() for sign in name.strip()):
            found.add("".join(parts))
    return sorted({word[:LONGEST_WORD] for word in found})


def beginnings(text: str) -> str | None:
    """Return the `tsquery` of rows that have a word beginning so for each word of the text; None for no word.

    >>> beginnings("Mül ibr")
    "'mul':* & 'ibr':*"

    Of a folded text only letters and digits are left, so that nothing in it can be an operator.
    """
    asked = [word[:LONGEST_WORD] for word in folded(text).split()][:MOST_WORDS]
    return " & ".join(f"'{word}':*" for word in asked) or None


def _plain(text: str) -> str:
    """Return the text decomposed, without marks (accents, harakat) and invisible signs (joiners)."""
    return "".join(
        sign
        for sign in unicodedata.normalize("NFKD", text)
        if unicodedata.category(sign) not in ("Mn", "Me", "Cf")
    )

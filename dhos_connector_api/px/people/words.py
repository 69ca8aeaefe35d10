"""The words a user is found by (pure): without accents, in lower case, Arabic letters in one form each."""

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
#: Forms of one Arabic letter that people write for each other.
_ARABIC = str.maketrans("أإآٱىةؤئ", "اااايهوي", "ـ")
#: Words of one search.
MOST_WORDS = 8


def words(texts: Iterable[str | None]) -> list[str]:
    """Return the words of these texts as they are compared, each once, in order."""
    found: dict[str, None] = {}
    for text in texts:
        plain = unicodedata.normalize("NFKD", (text or "").translate(_ARABIC)).casefold()
        letters = "".join(each for each in plain if not unicodedata.combining(each))
        found.update(dict.fromkeys(_WORD.findall(letters.replace("_", " ").translate(_ARABIC))))
    return list(found)


def of_user(username: str, email: str | None, *names: str | None) -> list[str]:
    """Return the words a user is found by: of his address only what stands before the @."""
    return words((username, (email or "").partition("@")[0], *names))


def prefixes(text: str) -> str:
    """Return the text search query for rows that have, for each word of `text`, one that begins with it."""
    return " & ".join(f"'{each}':*" for each in words((text,))[:MOST_WORDS])

"""Which passwords are taken (pure): long enough, not common, nothing everybody could guess of their owner."""

import re
import unicodedata
from collections.abc import Iterable

LEAST, MOST = 12, 128
#: A password needs so many different characters.
_DIFFERENT = 5
#: Of a name, what is shorter may stand in a password by chance.
_SHORTEST_NAME = 4
_LETTERS = str.maketrans("013457@$!", "oieastasi")
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "01234567890",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
)
#: A piece of a row this long counts as one guess.
_RUN = 4
#: What passwords are made from most often, in the lists of those that leaked; folded as `_folded` does.
_WORDS = """
admin administrator alhamdulillah allahuakbar allah arsenal baseball basketball batman changeme charlie
chelsea computer connector default dragon demo doctor football freedom guest hello hospital iloveyou
inshallah internet killer letmein liverpool login manager master michael mohammed monkey muhammad mustang
mypassword nurse pass passphrase passw passwd password patient princess root saudi riyadh jeddah secret
server shadow starwars summer winter spring autumn sunshine superman system temp temporary test testing
trustnoone user username welcome whatever
"""
_COMMON = frozenset(_WORDS.split())


def refusals(password: str, names: Iterable[str | None] = ()) -> list[str]:
    """Return why a password is not taken; empty where it is. `names` are its owner's."""
    found = []
    if len(password) < LEAST:
        found.append(f"must have at least {LEAST} characters")
    if len(password) > MOST:
        found.append(f"must have at most {MOST} characters")
    folded = _folded(password)
    if len(set(folded)) < _DIFFERENT or not _uncommon(folded):
        found.append("is too easy to guess")
    if any(_stands_in(name, folded) for name in names):
        found.append("must not hold your name")
    return found


def _folded(text: str) -> str:
    """Lower case, without accents, full-width forms and spaces."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(each for each in plain if not unicodedata.combining(each) and not each.isspace())


def _uncommon(folded: str) -> str:
    """The password, where something of it is its owner's idea; else nothing.

    Common words, runs on a keyboard, repetitions, and what decorates them are nobody's idea.
    """
    for candidate in {folded, folded.translate(_LETTERS)}:
        rest = _without_runs(candidate)
        for word in sorted(_COMMON, key=len, reverse=True):
            rest = rest.replace(word, "")
        rest = re.sub(r"(.+?)\1+", r"\1", rest)  # abcabcabc is abc
        if len(re.sub(r"[\W\d_]", "", rest)) < _SHORTEST_NAME and len(rest) < LEAST:
            return ""
    return folded


def _without_runs(text: str) -> str:
    rows = [*_ROWS, *(row[::-1] for row in _ROWS)]
    at, kept = 0, ""
    while at < len(text):
        length = max(_run(text, at, row) for row in rows)
        if length < _RUN:
            kept, length = kept + text[at], 1
        at += length
    return kept


def _run(text: str, at: int, row: str) -> int:
    """How many characters of `text` from `at` on stand in a row in this order."""
    begin = row.find(text[at])
    length = 0
    while (
        begin >= 0
        and at + length < len(text)
        and row[begin + length : begin + length + 1] == text[at + length]
    ):
        length += 1
    return length


def _stands_in(name: str | None, folded: str) -> bool:
    own = _folded(name or "")
    return len(own) >= _SHORTEST_NAME and own in folded

"""The characters a message separates its parts with: MSH-1 and MSH-2 (HL7 v2 chapter 2, delimiters)."""

from dataclasses import dataclass
from functools import lru_cache

#: Taken, in this order, for a delimiter the sender left out.
_SPARE = "|^~\\&#@!$*"
_MOST = 5  # characters in MSH-2, from v2.7


@dataclass(frozen=True, slots=True)
class Delimiters:
    """One message's delimiters. An empty string is a delimiter the sender does not use.

    `encoding` is MSH-2 as it stands in the message; `truncation` is its fifth character (from v2.7).
    """

    field: str
    component: str = ""
    repetition: str = ""
    escape: str = ""
    subcomponent: str = ""
    truncation: str = ""

    @property
    def encoding(self) -> str:
        """Return MSH-2: the delimiters in the order the standard gives them."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation

    def completed(self) -> "Delimiters":
        """Return these delimiters, a free character for each one left out: so all text can be escaped."""
        if self.component and self.repetition and self.escape and self.subcomponent:
            return self
        taken = self.field + self.encoding
        spare = iter([character for character in _SPARE if character not in taken])
        component = self.component or next(spare)
        repetition = self.repetition or next(spare)
        escape = self.escape or next(spare)
        return Delimiters(
            self.field, component, repetition, escape, self.subcomponent or next(spare), self.truncation
        )


STANDARD = Delimiters("|", "^", "~", "\\", "&")


@lru_cache(maxsize=64)
def usable(field: str, encoding: str) -> bool:
    """Return whether these delimiters tell the parts of a message apart.

    They are: one to five characters in MSH-2, all different, none of them a letter, a digit, white
    space, a quotation mark (`""` means delete) or a control character.
    """
    characters = field + encoding[: _MOST + 1]
    return (
        1 <= len(encoding) <= _MOST
        and len(set(characters)) == len(characters)
        and not any(_is_content(character) for character in characters)
    )


def _is_content(character: str) -> bool:
    """Return whether the character is text a value is made of, and so cannot separate values."""
    return character.isalnum() or character.isspace() or not character.isprintable() or character == '"'


@lru_cache(maxsize=64)
def _known(field: str, encoding: str) -> Delimiters:
    return Delimiters(field, *encoding)


def choose(field: str, encoding: str) -> Delimiters:
    """Return the delimiters of MSH-1 and MSH-2; if they are not `usable`, the standard ones behind MSH-1."""
    if usable(field, encoding):
        return _known(field, encoding)
    others = STANDARD.encoding.replace(field, "|")
    return Delimiters(field, *others)

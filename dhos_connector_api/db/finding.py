"""What a check of this installation found: `findings.py` of a room returns them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was seen, and what to do where it is not well."""

    subject: str
    text: str
    advice: str = ""

    @property
    def is_well(self) -> bool:
        """Return whether there is nothing to do."""
        return not self.advice

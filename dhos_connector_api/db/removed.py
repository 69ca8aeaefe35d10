"""What one piece of a removal took away (pure)."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows went, and the times of the oldest and the newest of them; None where there were none."""

    rows: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

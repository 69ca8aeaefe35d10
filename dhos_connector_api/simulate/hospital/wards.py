"""An invented hospital: its wards, bays and beds, and which of them are taken (pure)."""

from random import Random
from typing import NamedTuple

FACILITY = "RBH"
_WARDS = tuple(f"WARD{number}" for number in range(1, 13))
_BAYS, _BEDS = 4, 6


class Place(NamedTuple):
    """Where a patient is; bay and bed are empty in a clinic."""

    ward: str
    bay: str = ""
    bed: str = ""


CLINICS = (Place("FRACTURE CLINIC"), Place("EYE CLINIC"), Place("OUTPATIENTS"))


class Beds:
    """The hospital's beds. A bed that is taken is given to nobody else until it is given back."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._free = [
            Place(ward, f"BAY{bay}", f"BED{bed}")
            for ward in _WARDS
            for bay in range(1, _BAYS + 1)
            for bed in range(1, _BEDS + 1)
        ]

    def take(self) -> Place | None:
        """Any free bed; None: the hospital is full."""
        if not self._free:
            return None
        chosen = self._random.randrange(len(self._free))
        self._free[chosen], self._free[-1] = self._free[-1], self._free[chosen]
        return self._free.pop()

    def give_back(self, place: Place) -> None:
        """The bed is free again."""
        self._free.append(place)

"""NHS numbers for builders, which several threads may call at once."""

from collections.abc import Iterator
from threading import Lock

from dhos_connector_api.simulate.hospital.people import nhs_numbers


class NhsNumbers(Iterator[str]):
    """Fresh NHS numbers, each with its check digit."""

    def __init__(self) -> None:
        self._numbers = nhs_numbers(1)
        self._lock = Lock()

    def __next__(self) -> str:
        with self._lock:
            return next(self._numbers)

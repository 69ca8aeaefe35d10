"""A believable stream of ADT messages: many lives in one hospital, in the order of time (pure)."""

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from dhos_connector_api.simulate.hospital import adt
from dhos_connector_api.simulate.hospital.lives import Chart, Life, Occurrence

#: Minutes between two patients, on average.
_BETWEEN_ARRIVALS = 20.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """One message of the stream; `arrived` is how many patients have come so far."""

    occurrence: Occurrence
    control_id: str
    content: bytes
    arrived: int


def stream(patients: int, *, seed: int, start: datetime, processing_id: str = "T") -> Iterator[Simulated]:
    """Yield the messages a hospital sends of so many patients, from `start` (aware) on, in the order of time.

    The same arguments give the same bytes. Other ones give other control ids, MRNs and visit numbers:
    two streams may go to one receiver.
    """
    digest = hashlib.sha256(f"{patients} {seed} {start.isoformat()}".encode()).digest()
    prefix = digest[:3].hex().upper()
    chart = Chart(
        Random(digest),  # noqa: S311  repeatable on purpose
        prefix=prefix,
        first_nhs_number=int.from_bytes(digest[3:7]),
        start=start,
    )
    for number, (arrived, occurrence) in enumerate(_merged(chart, patients, start), 1):
        control_id = f"{prefix}{number:09}"
        content = adt.message(occurrence, control_id=control_id, processing_id=processing_id)
        yield Simulated(occurrence, control_id, content, arrived)


def _merged(chart: Chart, patients: int, start: datetime) -> Iterator[tuple[int, Occurrence]]:
    """Yield what happens in all lives, with how many have begun by then."""
    arrivals = Random(f"{start} {patients}")  # noqa: S311
    waiting: list[tuple[datetime, int, Life]] = []
    at = start
    for number in range(patients):
        for occurrence in _until(at, chart, waiting):
            yield number, occurrence
        heapq.heappush(waiting, (at, number, chart.life()))
        at += timedelta(minutes=arrivals.expovariate(1 / _BETWEEN_ARRIVALS))
    for occurrence in _until(datetime.max.replace(tzinfo=start.tzinfo), chart, waiting):
        yield patients, occurrence


def _until(end: datetime, chart: Chart, waiting: list[tuple[datetime, int, Life]]) -> Iterator[Occurrence]:
    """Yield what happens before that moment."""
    while waiting and waiting[0][0] < end:
        chart.now, number, life = heapq.heappop(waiting)
        for step in life:
            if not isinstance(step, Occurrence):
                heapq.heappush(waiting, (chart.now + timedelta(minutes=step), number, life))
                break
            yield step

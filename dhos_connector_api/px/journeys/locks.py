"""Locks of journeys: one transaction at a time folds what goes by a name.

Each transaction takes the room's lock first: shared, or alone where it adds names that are another's too, or
moves of patients, so that what hangs together does not change while others find out. Then the names, in
order: nobody waits in a circle.
"""

from collections.abc import Collection
from hashlib import sha256

from sqlalchemy import Connection, text

from dhos_connector_api.px.journeys.evidence import Name

#: "jour": advisory locks of two numbers never meet those of one.
_NAMES, _ROOM = 0x6A6F7572, 0x6A6F7573
_SHARED = text("SELECT pg_advisory_xact_lock_shared(:room, 0)")
_ALONE = text("SELECT pg_advisory_xact_lock(:room, 0)")
_EACH = text("SELECT pg_advisory_xact_lock(:room, slot) FROM unnest(CAST(:slots AS int[])) AS slot")


def enter(connection: Connection, *, alone: bool) -> None:
    """Wait until nobody folds (`alone`), or nobody who has to be alone; until the transaction ends."""
    connection.execute(_ALONE if alone else _SHARED, {"room": _ROOM})


def hold(connection: Connection, names: Collection[Name]) -> None:
    """Wait until nobody else folds what goes by these names, and keep others from it."""
    slots = {
        int.from_bytes(sha256("\0".join(each).encode("utf-8", "replace")).digest()[:4], signed=True)
        for each in names
    }
    if slots:
        connection.execute(_EACH, {"room": _NAMES, "slots": sorted(slots)})

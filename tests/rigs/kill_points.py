"""A launcher that ends the process at a named step, as kill -9 does, and otherwise is the command line.

python -m tests.rigs.kill_points POINT CALL COMMAND...   dies at the CALL-th time it gets to POINT
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from dhos_connector_api.broker.confirms import Confirms
from dhos_connector_api.cli.main import main
from dhos_connector_api.deliveries import send, settlement
from dhos_connector_api.deliveries import store as deliveries
from dhos_connector_api.deliveries.deliver import Deliverer
from dhos_connector_api.events import idempotency
from dhos_connector_api.intake import counting, event, his, webhook
from dhos_connector_api.messages import store as messages
from dhos_connector_api.outbox import store as outbox

#: Name of a point: what is wrapped, and whether the process dies before it or after it.
POINTS: dict[str, tuple[Any, str, str]] = {
    "read, not stored": (messages, "insert", "before"),
    "group read, not stored": (messages, "insert_all", "before"),
    "group committed, nobody told": (messages, "insert_all", "after"),
    "committed, not answered": (counting, "count_all", "before"),
    "HIS payload read, not stored": (his, "keep", "before"),
    "HIS payload stored, not committed": (his, "keep", "after"),
    "webhook verified, not stored": (webhook, "keep", "before"),
    "webhook committed, not counted": (webhook, "keep", "after"),
    "event read, not stored": (event, "keep", "before"),
    "events read, not stored": (event, "keep_all", "before"),
    "a group of events kept, the next not": (event, "keep_all", "after"),
    "all events kept, the answer not": (idempotency, "answer", "before"),
    "the answer noted, not committed": (idempotency, "answer", "after"),
    "published, not confirmed": (Confirms, "note_answer", "before"),
    "confirmed, not settled": (outbox, "settle", "before"),
    "queued, not committed": (deliveries, "add", "after"),
    "queued, not answered": (send, "count", "before"),
    "claimed, not committed": (deliveries, "claim", "after"),
    "claimed, not sent": (Deliverer, "attempt", "before"),
    "sent, not settled": (Deliverer, "_settle", "before"),
    "settled, not committed": (settlement, "settle_delivered", "after"),
    "settled, not counted": (Deliverer, "_count", "before"),
}


def arm(point: str, call: int) -> None:
    """Kill this process at the `call`-th time it gets to that point."""
    owner, name, when = POINTS[point]
    wrapped: Callable[..., Any] = getattr(owner, name)
    calls = count(1)

    def deadly(*arguments: Any, **options: Any) -> Any:
        fatal = next(calls) == call
        if fatal and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = wrapped(*arguments, **options)
        if fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    main(args=sys.argv[3:])

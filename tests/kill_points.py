"""A launcher that ends the process at a named step, as kill -9 does, and otherwise is the command line.

python -m tests.kill_points POINT CALL COMMAND...   dies at the CALL-th time it gets to POINT
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from dhos_connector_api.broker.confirms import Confirms
from dhos_connector_api.cli import main
from dhos_connector_api.intake import receive_hl7
from dhos_connector_api.messages import store as messages
from dhos_connector_api.outbox import store as outbox

#: Name of a point: what is wrapped, and whether the process dies before it or after it.
POINTS: dict[str, tuple[Any, str, str]] = {
    "read, not stored": (messages, "insert", "before"),
    "committed, not answered": (receive_hl7, "count", "before"),
    "published, not confirmed": (Confirms, "answered", "before"),
    "confirmed, not settled": (outbox, "settle", "before"),
}


def arm(point: str, call: int) -> None:
    """Let this process die at the `call`-th time it gets to that point."""
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

"""How many files this process may have open (RLIMIT_NOFILE): every connection is one."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

#: Files left for everything else: database connections, listening sockets, logs, who is turned away.
RESERVE = 64


def raise_limit() -> None:
    """Raise the soft limit of open files to the hard one: that of a shell is often 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems do not allow "no limit"; then the old one stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def for_connections() -> int:
    """Return how many connections there may be, besides what is open now and the reserve; at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(1, soft - len(list(Path("/dev/fd").iterdir())) - RESERVE)

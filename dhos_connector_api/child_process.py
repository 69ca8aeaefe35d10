"""A child process that does not outlive its parent, whatever ends the parent."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)
_C_LIBRARY = ctypes.CDLL(None, use_errno=True)


def dies_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` for Popen: the kernel sends the child `number` when its parent is gone, even by kill -9.

    The kernel means the *thread* that started the child: start children from the main thread. Only
    Linux can do this; elsewhere a kill -9 of the parent leaves the child, and whoever starts the
    next one has to look for it (`db/embedded.py` does).
    """
    parent = os.getpid()

    def prepare() -> None:
        if sys.platform == "linux":
            _C_LIBRARY.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # the parent went before the kernel knew
            os._exit(1)

    return prepare

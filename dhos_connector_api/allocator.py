"""The C library's memory: what was much and is no longer needed goes back to the system."""

import ctypes

#: Of glibc's malloc.h.
_M_MMAP_THRESHOLD = -3
#: Bytes of a block that is the system's own again as soon as it is freed.
LARGE = 1_000_000


def return_large_blocks() -> None:
    """Return to the system every block of LARGE bytes and more when it is freed.

    glibc learns from the first large block that is freed to keep others up to 32 MB, for each thread by
    itself: eight threads that each made an answer of 20 MB once would hold 500 MB for good. Where there is
    another C library nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)

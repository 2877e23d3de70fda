"""Memory that training asks for again and again stays with the process."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt(3)."""
KEPT = 2**31 - 1
"""Bytes of freed memory at the top of the heap beyond which it goes back to the system."""


def keep_freed_memory() -> bool:
    """Have glibc take large tensors from its heap, and say whether it agreed; other C libraries are left alone.

    By default it maps blocks of 32 MB and more anew each time, and the system clears every page of them: up to
    two fifths of an update's time where many replicas are stacked. The heap first grows by a few such blocks, since an
    aligned one does not fit where its like was freed. Users' own MALLOC_* variables are left alone.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))

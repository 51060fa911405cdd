"""Reading of files that may not be in memory, without holding up the loop.

Linux tells whether a read would have to wait for the disk (RWF_NOWAIT, preadv2(2)). What is not in
memory is read in a thread, and then is.
"""

from __future__ import annotations

import os

from lymph.core.backends import in_thread

__all__ = ['warm']

_NOWAIT: int | None = getattr(os, 'RWF_NOWAIT', None)


def warm(descriptor: int, start: int, size: int) -> None:
    """Return when a part of a regular file, a block of some KiB, is in memory; raises OSError."""
    if not (_is_warm(descriptor, start) and _is_warm(descriptor, start + size - 1)):
        in_thread(os.pread, descriptor, size, start)


def _is_warm(descriptor: int, at: int) -> bool:
    if _NOWAIT is None:
        return True
    try:
        os.preadv(descriptor, [bytearray(1)], at, _NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # of a file system that cannot tell, or whatever reading will find out
    return True

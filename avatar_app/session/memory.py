"""Configure glibc's memory allocator.

By default it keeps a heap for every few threads, and a heap's free memory is not available to others.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

from avatar_app.errors import AvatarError
from avatar_app.text import Text

M_ARENA_MAX = -8
"""As in malloc.h."""


NEEDED = 1 << 30
"""Bytes of address space that loading the libraries takes; with less, one of them crashes without a
message.
"""


def require_memory() -> None:
    """Raise AvatarError if ``ulimit -v`` allows less than ``NEEDED``."""
    if sys.platform == "win32":
        return
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < NEEDED:
        raise AvatarError(
            Text(
                "This program may use {} MB of memory and needs more than {} MB.", limit >> 20, NEEDED >> 20
            ),
            Text("Start it without that limit (ulimit -v)."),
        )


def share_heap() -> None:
    """Let all threads allocate from one heap.

    Best called before threads start, since existing heaps stay. A session's threads come and go, and the
    fragments in heaps of their own add up, though nothing leaks: over 60 sessions, memory grew from 340 to
    430 MB; with one heap it stayed between 240 and 280 MB.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 1)


def give_memory_back() -> None:
    """Return freed memory to the system."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)

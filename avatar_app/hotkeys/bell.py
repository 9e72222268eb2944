"""End a thread that waits for keys."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


def ring(stopping: threading.Event, ringer: socket.socket, thread: threading.Thread) -> None:
    """Ask a listening thread to end, and wait for it up to 0.2 s.

    It waits at the other end of ``ringer``. It may have ended by itself, may never have begun, and
    may be the one that calls.
    """
    stopping.set()
    with suppress(OSError):
        ringer.send(b"!")
    if thread.ident is not None and threading.current_thread() is not thread:
        thread.join(0.2)

"""End a thread that waits for keys."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


def ring(stopping: threading.Event, ringer: socket.socket, thread: threading.Thread) -> None:
    """Wake a listening thread through ``ringer``, and wait up to 0.2 s for its end.

    The thread may have ended by itself, may never have started, and may be the caller.
    """
    stopping.set()
    with suppress(OSError):
        ringer.send(b"!")
    if thread.ident is not None and threading.current_thread() is not thread:
        thread.join(0.2)

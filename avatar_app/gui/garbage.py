"""Collect reference cycles in the window's thread alone.

Python collects them in whichever thread happens to allocate. In a thread of the camera or of photos it would
destroy widgets there, which Qt forbids: the program then hangs or crashes.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL = 1000
"""Milliseconds from one look for cycles to the next."""


def collect_here(parent: QObject) -> None:
    """Collect in this thread from now on, while its event loop runs, and in no other."""
    gc.disable()
    timer = QTimer(parent)
    timer.timeout.connect(collect_due)
    timer.start(INTERVAL)


def collect_due() -> None:
    """Collect the oldest generation with more new objects than Python's threshold."""
    due = [
        generation
        for generation, (count, threshold) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True))
        if count > threshold > 0
    ]
    if due:
        gc.collect(due[-1])

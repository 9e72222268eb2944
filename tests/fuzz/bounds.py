"""How far hostile input may go.

How often it is tried, and the time and memory that one try may take.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("AVATAR_FUZZ", "0"))
"""Examples for each property; 0: few, and the same ones every time."""

SECONDS = 2.0
"""Processor time that one input may take."""
HANGS = 30
"""Seconds after which an input is taken to hang, even on a busy machine."""
MEGABYTES = 700
"""What one input may take on top of what was in use before."""


def fuzz(few: int = 25) -> settings:
    """Decorates a property.

    ``few`` examples, or ``AVATAR_FUZZ`` different ones every time.
    """
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[phase for phase in Phase if EXAMPLES or phase is not Phase.shrink],  # shrinking takes minutes
    )


@contextmanager
def bounded(seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Iterator[None]:
    """Fails where the block takes too long, hangs, or takes too much memory (which Linux alone tells)."""
    _forget_peak()
    before, began = _memory("VmRSS"), time.process_time()
    with _alarm():
        yield
    took, grown = time.process_time() - began, _memory("VmHWM") - before
    assert took < seconds, f"took {took:.1f} s"
    assert grown < megabytes, f"took {grown} MB"


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"hangs: no end after {HANGS} s")

    if sys.platform == "win32":
        yield
        return
    old = signal.signal(signal.SIGALRM, ring)
    signal.alarm(HANGS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def _memory(name: str) -> int:
    """A line of the process's own memory figures, in MB; 0 where there are none."""
    facts = Path("/proc/self/status")
    if not facts.exists():
        return 0
    return (
        next((int(line.split()[1]) for line in facts.read_text().splitlines() if line.startswith(name)), 0)
        >> 10
    )


def _forget_peak() -> None:
    peak = Path("/proc/self/clear_refs")
    if peak.exists():
        peak.write_text("5")

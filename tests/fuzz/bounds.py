"""Limits for hostile input: the number of attempts, and time and memory per attempt."""

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
"""Examples per property; 0: a few fixed ones."""

SECONDS = 2.0
"""Processor time that one input may take."""
HANGS = 30
"""Seconds after which an input counts as hanging, even on a busy machine."""
MEGABYTES = 700
"""Memory that one input may use on top of what was in use before."""


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
    """Fails if the block takes too long, hangs, or uses too much memory (checked only on Linux)."""
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
    """A value of the process's memory status, in MB; 0 if there is none."""
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

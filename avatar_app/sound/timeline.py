"""Turn timed blocks of sound into one continuous signal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 48_000
"""Samples a second, everywhere in the app."""

Samples = npt.NDArray[np.float32]
"""Mono, from -1 to 1."""

JUMP = 0.04
"""Offset in seconds from which sound is cut or silence inserted. Below, it is stretched slightly."""

LET_BE = 0.001
"""Offset in seconds that nobody hears."""

STRETCH = 100
"""One sample in this many is added or left out while sound is late or early."""

STEADY = 0.9
"""Weight of the known offset against the jitter of single blocks."""


class Timeline:
    """Tracks the end of the signal so far. One thread.

    The clocks of sound card and computer differ by some seconds a day, and the pictures' delay changes.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._off = 0.0
        self._begun = False

    @property
    def seconds(self) -> float:
        """Return the position of the next sample."""
        return self.samples / RATE

    def place(self, block: Samples, seconds: float) -> Samples:
        """Return the samples to append for a block that belongs at ``seconds``."""
        late = seconds - self.seconds
        if not self._begun or abs(late) > JUMP:
            self._begun, self._off = True, 0.0
            gap = round(late * RATE)
            made = np.concatenate((np.zeros(gap, np.float32), block)) if gap > 0 else block[-gap:]
        else:
            self._off = STEADY * self._off + (1 - STEADY) * late
            made = self._stretched(block)
        self.samples += len(made)
        return made

    def fill(self, seconds: float) -> Samples:
        """Return the silence to append up to ``seconds``, empty if there is sound."""
        missing = max(0, round(seconds * RATE) - self.samples)
        self.samples += missing
        return np.zeros(missing, np.float32)

    def _stretched(self, block: Samples) -> Samples:
        if abs(self._off) < LET_BE or len(block) < STRETCH:
            return block
        most = len(block) // STRETCH
        change = int(np.clip(round(self._off * RATE), -most, most))
        self._off -= change / RATE
        length = len(block) + change
        places = np.linspace(0, len(block) - 1, length)
        return np.interp(places, np.arange(len(block)), block).astype(np.float32)

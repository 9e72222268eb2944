"""Turn blocks of sound and their times into one unbroken row of samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 48_000
"""Samples a second, everywhere in the app."""

Samples = npt.NDArray[np.float32]
"""Of one channel, from -1 to 1."""

JUMP = 0.04
"""Seconds off the place from which sound is cut or silence is put in. Below, it is stretched a little."""

LET_BE = 0.001
"""Seconds off the place that nobody hears."""

STRETCH = 100
"""One sample in so many is added or left out while sound comes too late or too early."""

STEADY = 0.9
"""Share of what was known of the place before, against the jitter of single blocks."""


class Timeline:
    """Keeps the end of what was placed so far. One thread.

    A sound card's clock and the computer's differ by some seconds a day, and the pictures' delay changes.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._off = 0.0
        self._begun = False

    @property
    def seconds(self) -> float:
        """Where the next sample will stand."""
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
        """Return the silence to append up to ``seconds``.

        Nothing where sound is that far.
        """
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

"""Microphones, and the capture time of their sound."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from avatar_app.sound.timeline import RATE, Samples

DRIFT = 2e-4
"""Seconds that a sound card's clock may lose in a second."""

LOST, WHILE = 0.04, 2.0
"""Seconds by which all recent arrivals are late if samples were lost, and the length of "recent"."""


@dataclass(frozen=True, slots=True)
class MicrophoneInfo:
    """A microphone.

    Attributes:
        name: for people.
        key: the system's identifier.
    """

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some hundredths of a second of sound.

    Attributes:
        at: capture time of the first sample, by ``time.monotonic``.
    """

    samples: Samples
    at: float


class Microphone(Protocol):
    """A microphone, opened, read and closed in one thread.

    Attributes:
        name: for people.
    """

    name: str

    def read(self, seconds: float) -> Block | None:
        """Return new blocks, waiting for them up to ``seconds``.

        Raises SoundError when the device is gone.
        """

    def close(self) -> None:
        """Close the device. May be called twice."""


class Clock:
    """Computes capture times from arrival times.

    Samples may arrive late, never early, so the earliest arrival counts. If all recent ones are later by more
    than `LOST`, the device has lost samples, and the earliest of these counts.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._begin: float | None = None
        self._recent: deque[tuple[float, float]] = deque()

    def heard(self, samples: int, now: float) -> float:
        """Return the capture time of the first of ``samples`` that arrived just now."""
        begin = now - (self._samples + samples) / RATE
        recent = self._recent
        recent.append((now, begin))
        while now - recent[0][0] > WHILE:
            recent.popleft()
        if self._begin is not None:
            earliest = min(moment for _, moment in recent)
            lost = now - recent[0][0] > WHILE / 2 and earliest - self._begin > LOST
            begin = earliest if lost else min(begin, self._begin + DRIFT * samples / RATE)
        self._begin = begin
        at = begin + self._samples / RATE
        self._samples += samples
        return at

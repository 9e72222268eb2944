"""What a microphone is, and when its sound was heard."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from avatar_app.sound.timeline import RATE, Samples

DRIFT = 2e-4
"""Seconds by which a sound card's clock may be slow in a second."""

LOST, WHILE = 0.04, 2.0
"""Seconds by which all arrivals of the last while are late when samples are missing, and that while."""


@dataclass(frozen=True, slots=True)
class MicrophoneInfo:
    """A microphone.

    Attributes:
        name: for people.
        key: what the system knows it by.
    """

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some hundredths of a second of sound.

    Attributes:
        at: when the first sample was heard, as of ``time.monotonic``.
    """

    samples: Samples
    at: float


class Microphone(Protocol):
    """Opened, read and closed in one thread.

    Attributes:
        name: for people.
    """

    name: str

    def read(self, seconds: float) -> Block | None:
        """What came since; waits for it up to so long.

        Raises SoundError when the device is gone.
        """

    def close(self) -> None:
        """May be called twice."""


class Clock:
    """Finds when samples were heard from when they arrived.

    They may arrive late, never early; so the earliest arrival rules. Where all of the last ones are later by
    more than `LOST`, the device has lost samples, and the earliest of these rules.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._begin: float | None = None
        self._recent: deque[tuple[float, float]] = deque()

    def heard(self, samples: int, now: float) -> float:
        """When the first of so many samples was heard.

        The last of them has just arrived.
        """
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

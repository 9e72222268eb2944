"""What a microphone is, and when its sound was heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from avatar_app.sound.timeline import RATE, Samples

DRIFT = 2e-4
"""Seconds by which a sound card's clock may be slow in a second."""


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

    They may arrive late, never early; so the earliest arrival of the last while rules.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._begin: float | None = None

    def heard(self, samples: int, now: float) -> float:
        """When the first of so many samples was heard.

        The last of them has just arrived.
        """
        begin = now - (self._samples + samples) / RATE
        if self._begin is not None:
            begin = min(begin, self._begin + DRIFT * samples / RATE)
        self._begin = begin
        at = begin + self._samples / RATE
        self._samples += samples
        return at

"""Smooth key points with the One-Euro filter (Casiez et al. 2012). Pure numpy.

Slow motion is smoothed, fast motion passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from avatar_app.types import KeyPoints, key_points

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Parameters of the One-Euro filter.

    Attributes:
        cutoff: in Hz for a value at rest; lower is steadier.
        speed_gain: Hz added for each half side per second of speed; higher lags less.
        speed_cutoff: in Hz, for the speed itself.
    """

    cutoff: float
    speed_gain: float
    speed_cutoff: float = 3.0


STRENGTHS = {"off": None, "light": Smoothing(2.0, 20.0), "strong": Smoothing(1.2, 12.0)}
"""The user's choices."""


class OneEuro:
    """One-Euro filter of one signal: arrays of one shape that arrive over time."""

    def __init__(self, smoothing: Smoothing) -> None:
        self._smoothing = smoothing
        self._value: Values | None = None
        self._speed: Values = np.zeros(())
        self._time = 0.0

    def step(self, value: Values, time: float) -> Values:
        """Return the smoothed value at ``time`` in seconds, which must grow."""
        if self._value is None:
            self._value, self._speed = value, np.zeros_like(value)
        else:
            gap = max(time - self._time, 1e-6)
            speed = (value - self._value) / gap
            self._speed = self._speed + _share(self._smoothing.speed_cutoff, gap) * (speed - self._speed)
            cutoff = self._smoothing.cutoff + self._smoothing.speed_gain * np.abs(self._speed)
            self._value = self._value + _share(cutoff, gap) * (value - self._value)
        self._time = time
        return self._value


class KeyPointFilter:
    """One-Euro filter of live key points.

    Args:
        smoothing: None disables it.
    """

    def __init__(self, smoothing: Smoothing | None) -> None:
        self._filter = OneEuro(smoothing) if smoothing else None

    def step(self, points: KeyPoints, time: float) -> KeyPoints:
        """Return the smoothed key points at ``time`` in seconds, which must grow."""
        return points if self._filter is None else _unflat(self._filter.step(_flat(points), time), points)


def _share(cutoff: float | Values, gap: float) -> Values:
    """Return a new value's weight in a low-pass filter of ``cutoff`` Hz.

    Args:
        gap: seconds since the last value.
    """
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * np.pi * np.asarray(cutoff) * gap)))


def smooth_track(
    track: Sequence[KeyPoints | None], times: Sequence[float], smoothing: Smoothing | None
) -> list[KeyPoints | None]:
    """Smooth a whole clip's key points without lag.

    The mean of a forward and a backward pass.

    Args:
        track: None where there is no face; each run of faces is smoothed separately.
        times: seconds, growing, one for each entry.
        smoothing: None changes nothing.
    """
    smoothed = list(track)
    if smoothing is None:
        return smoothed
    for start, stop in _stretches(track):
        values = np.stack([_flat(points) for points in track[start:stop] if points is not None])
        stamps = np.array(times[start:stop])
        forwards = _filtered(values, stamps, smoothing)
        backwards = _filtered(values[::-1], stamps[-1] - stamps[::-1], smoothing)[::-1]
        for index, value in enumerate((forwards + backwards) / 2, start):
            like = track[index]
            smoothed[index] = None if like is None else _unflat(value, like)
    return smoothed


def _filtered(values: Values, times: Values, smoothing: Smoothing) -> Values:
    one_euro = OneEuro(smoothing)
    return np.stack([one_euro.step(value, float(time)) for value, time in zip(values, times, strict=True)])


def _stretches(track: Sequence[KeyPoints | None]) -> list[tuple[int, int]]:
    """Yield (start, stop) of each run of entries that are not None."""
    present = np.array([False, *(points is not None for points in track), False])
    edges = np.flatnonzero(present[1:] != present[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _flat(points: KeyPoints) -> Values:
    return np.concatenate([part.ravel() for part in points.parts.values()]).astype(np.float64)


def _unflat(values: Values, like: KeyPoints) -> KeyPoints:
    values32 = values.astype(np.float32)
    parts, at = {}, 0
    for name, part in like.parts.items():
        parts[name] = values32[at : at + part.size].reshape(part.shape)
        at += part.size
    return key_points(parts)

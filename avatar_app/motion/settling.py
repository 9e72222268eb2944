"""Let the neutral pose settle where head and lids rest. Pure numpy.

A driver who leans or turns aside during calibration would tilt the avatar for the whole call. The head's pose
in the neutral frame therefore drifts slowly to its median over the last seconds. One who squinted or blinked
would give it staring eyes, so the lids are opened as far as the driver usually does. They are never lowered,
and the remaining expression stays: eyes that look down to read for a minute are not at rest, and lips and
smiles are matched to the photo anyway (`mouth`, `smile`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from avatar_app.landmarks import LID_PAIRS
from avatar_app.motion.eyes import lid_gaps
from avatar_app.motion.head import Points, RigidMotion, angles, fit_rigid, rotation_of
from avatar_app.motion.transfer import as_key_points, in_space
from avatar_app.types import KeyPoints

EVERY, WINDOW, LEAST = 0.5, 20.0, 8.0
"""Seconds: between samples, for which samples are kept, and of samples needed before the pose changes."""

HALF_LIFE = 6.0
"""Seconds in which half of the way is covered."""

ASIDE = 25.0
"""Degrees from the neutral pose beyond which the driver looks at something else and no sample is taken."""

STEP = 0.1
"""Degrees, or percent of the lids' gap, by which the neutral pose has to change before a new one is
returned.
"""

USUAL = 75
"""Percentile of the gaps between lids that counts as open: above blinks and looks down, below surprise."""


class Settling:
    """Holds the neutral pose of one calibration.

    Args:
        neutral: key points with depth; others are returned unchanged.
    """

    def __init__(self, neutral: KeyPoints) -> None:
        self._given = self._settled = neutral
        self._face: Points | None = None if neutral.depth is None else in_space(neutral)
        self._samples: deque[tuple[float, Points]] = deque()
        self._offset = self._shown = np.zeros(8)
        self._now: float | None = None

    def step(self, driver: KeyPoints, now: float) -> KeyPoints:
        """Return the neutral pose for this frame.

        Args:
            driver: the frame's key points.
            now: seconds on a monotonic clock; after a gap, sampling starts over.
        """
        if self._face is None:
            return self._given
        gap = 0.0 if self._now is None else now - self._now
        self._now = now
        if not 0 <= gap < WINDOW:
            self._samples.clear()
        if not self._samples or now - self._samples[-1][0] >= EVERY:
            self._sample(in_space(driver), now)
        if self._samples and now - self._samples[0][0] >= LEAST:
            seen = np.array([offset for _, offset in self._samples])
            rest = np.array([*np.median(seen[:, :7], axis=0), max(np.percentile(seen[:, 7], USUAL), 0.0)])
            self._offset = self._offset + (rest - self._offset) * (1 - 0.5 ** (gap / HALF_LIFE))
            if (np.abs(self._offset - self._shown) * (1, 1, 1, 0, 0, 0, 0, 100)).max() > STEP:
                self._shown = self._offset
                rested = _motion(self._shown, self._face).apply(self._face)
                self._settled = as_key_points(_opened(rested, float(np.exp(self._shown[7]))))
        return self._settled

    def _sample(self, driver: Points, now: float) -> None:
        assert self._face is not None
        motion = fit_rigid(self._face, driver)
        turn = angles(motion.rotation)
        if max(map(abs, turn)) < ASIDE:
            opening = np.log(_gap(driver) / _gap(self._face))
            self._samples.append((now, np.array([*turn, *motion.shift, np.log(motion.scale), opening])))
        while self._samples and now - self._samples[0][0] > WINDOW:
            self._samples.popleft()


def _motion(offset: Points, face: Points) -> RigidMotion:
    rest = fit_rigid(face, face)
    return RigidMotion(float(np.exp(offset[6])), rotation_of(*offset[:3]), rest.center, offset[3:6])


def with_usual_lids(neutral: KeyPoints, seen: Iterable[KeyPoints | None]) -> KeyPoints:
    """Open the eyes of a neutral pose as far as the same driver usually does.

    Args:
        seen: the driver's key points; without depth, nothing changes.
    """
    if neutral.depth is None:
        return neutral
    face = in_space(neutral)
    usual = np.percentile([_gap(in_space(points)) for points in seen if points is not None], USUAL)
    return replace(neutral, **as_key_points(_opened(face, max(float(usual) / _gap(face), 1.0))).parts)


def _gap(face: Points) -> float:
    return max(float(lid_gaps(face).mean()), 1e-3)


def _opened(face: Points, factor: float) -> Points:
    """Return a face (88, 3) whose gaps between the lids are larger by ``factor``."""
    upper, lower = LID_PAIRS.T
    face = face.copy()
    face[upper] = face[lower] + factor * (face[upper] - face[lower])
    return face

"""Move the neutral pose to where the driver's head rests. Pure numpy.

A driver who leans or turns aside during calibration would tilt the avatar for the whole call. The head's pose
in the neutral frame therefore drifts slowly to its median over the last seconds. The expression in it stays:
eyes that look down to read for a minute are not at rest, and lips and smiles are matched to the photo anyway
(`mouth`, `smile`).
"""

from __future__ import annotations

from collections import deque

import numpy as np

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
"""Degrees by which the neutral pose has to change before a new one is returned."""


class Settling:
    """Holds the neutral pose of one calibration.

    Args:
        neutral: key points with depth; others are returned unchanged.
    """

    def __init__(self, neutral: KeyPoints) -> None:
        self._given = self._settled = neutral
        self._face: Points | None = None if neutral.depth is None else in_space(neutral)
        self._samples: deque[tuple[float, Points]] = deque()
        self._offset = self._shown = np.zeros(7)
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
            self._sample(fit_rigid(self._face, in_space(driver)), now)
        if self._samples and now - self._samples[0][0] >= LEAST:
            rest = np.median([offset for _, offset in self._samples], axis=0)
            self._offset = self._offset + (rest - self._offset) * (1 - 0.5 ** (gap / HALF_LIFE))
            if np.abs(self._offset - self._shown)[:3].max() > STEP:
                self._shown = self._offset
                self._settled = as_key_points(_motion(self._shown, self._face).apply(self._face))
        return self._settled

    def _sample(self, motion: RigidMotion, now: float) -> None:
        turn = angles(motion.rotation)
        if max(map(abs, turn)) < ASIDE:
            self._samples.append((now, np.array([*turn, *motion.shift, np.log(motion.scale)])))
        while self._samples and now - self._samples[0][0] > WINDOW:
            self._samples.popleft()


def _motion(offset: Points, face: Points) -> RigidMotion:
    rest = fit_rigid(face, face)
    return RigidMotion(float(np.exp(offset[6])), rotation_of(*offset[:3]), rest.center, offset[3:6])

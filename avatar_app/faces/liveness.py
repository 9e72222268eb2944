"""Tell a living face from a picture of one.

Landmarks of a living face move against each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_app import landmarks
from avatar_app.landmarks import face_height
from avatar_app.types import Array

Points = npt.NDArray[np.float64]

PARTS = (
    *(
        landmarks.JAW,
        landmarks.RIGHT_BROW,
        landmarks.LEFT_BROW,
        landmarks.NOSE,
        landmarks.RIGHT_EYE,
        landmarks.LEFT_EYE,
    ),
    *(landmarks.OUTER_LIPS, landmarks.INNER_LIPS, slice(landmarks.IRISES.start, landmarks.UPPER_OVAL.stop)),
)

DEFORMED = 0.015
"""Mean shift of one part against the rest, in face heights, from which a face has moved. A blink gives 0.02
to 0.03, speech more."""

DEFORMED_PIXELS = 0.5
"""Added to it, in pixels: noise of the sensor moves the landmarks of a small face by a larger share of its
height."""

SHIFTED = 0.15
"""Shift of the whole face, in face heights, that no shaking camera gives."""


LONGEST_GAP = 2.0
"""Seconds between two frames that count as still; longer ones are a computer that slept or a camera that was
away."""


class Liveness:
    """Whether one face moves.

    A shaking or panning camera moves a picture on the wall too. So the best affine map from the old landmarks
    to the new ones is taken out first; what is left comes from eyelids, lips, brows or a head that turns.

    Attributes:
        moved: it has moved since it was first seen.
        still: seconds for which it was seen without motion.
    """

    def __init__(self, points: Array, now: float) -> None:
        self.moved = False
        self.still = 0.0
        self._seen_at = now
        self._rest = _flat(points)

    def add(self, points: Array, now: float) -> None:
        """Take the landmarks of a later frame in, (88, 2 or 3) in pixels.

        ``now`` in seconds.
        """
        self.still += min(max(0.0, now - self._seen_at), LONGEST_GAP)
        self._seen_at = now
        flat = _flat(points)
        if has_moved(self._rest, flat):
            self.moved, self.still, self._rest = True, 0.0, flat


def has_moved(before: Points, after: Points) -> bool:
    """Whether a living face lies between two sets of landmarks, (88, 2) in pixels."""
    height = max(face_height(before), 1.0)
    if float(np.linalg.norm(after.mean(0) - before.mean(0))) > SHIFTED * height:
        return True
    start = np.column_stack([before, np.ones(len(before))])
    affine = np.linalg.lstsq(start, after, rcond=None)[0]
    rest = np.linalg.norm(start @ affine - after, axis=1) / height
    return max(float(rest[part].mean()) for part in PARTS) > DEFORMED + DEFORMED_PIXELS / height


def _flat(points: Array) -> Points:
    return points[:, :2].astype(np.float64)

"""Distinguish a living face from a picture of one.

Landmarks of a living face move relative to each other.
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
"""Mean shift of one part relative to the rest, in face heights, that counts as motion. A blink gives 0.02 to
0.03, speech more.
"""

DEFORMED_PIXELS = 0.5
"""Added to it, in pixels: sensor noise moves the landmarks of a small face by a larger fraction of its
height.
"""

SHIFTED = 0.15
"""Shift of the whole face, in face heights, that no shaking camera causes."""


LONGEST_GAP = 2.0
"""Longest gap in seconds between frames that counts as time without motion; after longer ones the computer
slept or the camera was gone.
"""


class Liveness:
    """Whether one face moves.

    A shaking or panning camera moves a picture on the wall too. The best affine map from the old landmarks to
    the new ones is therefore removed first; the rest comes from eyelids, lips, brows or a turning head.

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
        """Add the landmarks (88, 2 or 3) of a later frame, in pixels; ``now`` in seconds."""
        self.still += min(max(0.0, now - self._seen_at), LONGEST_GAP)
        self._seen_at = now
        flat = _flat(points)
        if has_moved(self._rest, flat):
            self.moved, self.still, self._rest = True, 0.0, flat


def has_moved(before: Points, after: Points) -> bool:
    """Whether two sets of landmarks (88, 2), in pixels, show a face that moved."""
    height = max(face_height(before), 1.0)
    if float(np.linalg.norm(after.mean(0) - before.mean(0))) > SHIFTED * height:
        return True
    start = np.column_stack([before, np.ones(len(before))])
    affine = np.linalg.lstsq(start, after, rcond=None)[0]
    rest = np.linalg.norm(start @ affine - after, axis=1) / height
    return max(float(rest[part].mean()) for part in PARTS) > DEFORMED + DEFORMED_PIXELS / height


def _flat(points: Array) -> Points:
    return points[:, :2].astype(np.float64)

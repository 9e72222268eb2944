"""Keep the sides of a turned head within what the photo shows. Pure numpy.

Landmarks of a far ear or jaw, hidden by the head, are detected within the cheek or even beyond the eye, so
that their order along a row is reversed. A picture moved by them would show the cheek a second time, mirrored
and stretched over the background. Each of them therefore stays on its side of the face, approaching it
asymptotically, as at the outline of a real head.

On the near side a turn uncovers what the photo shows narrowly, or not at all under hair. Stretching the
visible part over it would make a broad cheek, so these landmarks move apart less than the driver's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import (
    CHIN,
    FOREHEAD,
    LEFT_EYE_OUTER,
    LEFT_SIDE,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    RIGHT_EYE_OUTER,
    RIGHT_SIDE,
)

Points = npt.NDArray[np.float64]

OUTER = np.array([*RIGHT_SIDE, *LEFT_SIDE])
EYE = np.repeat([RIGHT_EYE_OUTER, LEFT_EYE_OUTER], len(RIGHT_SIDE))
MOUTH = np.repeat([MOUTH_RIGHT, MOUTH_LEFT], len(RIGHT_SIDE))
"""Mouth corner for each outer landmark; the line from there to the eye corner stays visible."""

AWAY = np.repeat([-1.0, 1.0], len(RIGHT_SIDE))
"""Direction away from the face: to the left (-1) or the right (1) of the picture."""

CLOSER, CLOSEST = 0.5, 0.08
"""Fractions of a landmark's distance from that line in the photo: a turn reduces it freely down to the first,
then ever more slowly towards the second.
"""

WIDER, WIDEST = 1.4, 1.6
"""The same for a turn that increases the distance."""


class Outline:
    """The sides of the face in one photo (88, 3)."""

    def __init__(self, photo: Points) -> None:
        distance, _, height = _distances(photo)
        # Parts that the photo itself hides are not corrected.
        self._seen = np.flatnonzero(distance > 0)
        self._usual = distance[self._seen] / height

    def correction(self, turned: Points) -> Points:
        """Return what to add to a pose (88, 3) so that this photo can show its sides.

        0 in small turns.

        Args:
            turned: (88, 3) the photo's own landmarks in that pose, without the expression: a rounded mouth
                does not widen the jaw.
        """
        added = np.zeros_like(turned)
        distance, across, height = _distances(turned)
        usual = height * self._usual
        share = distance[self._seen] / usual
        changes = (share < CLOSER) | (share > WIDER)
        if changes.any():
            which, share = self._seen[changes], share[changes]
            hidden, shown = CLOSER - CLOSEST, WIDEST - WIDER
            closer = CLOSEST + hidden * np.exp(np.minimum((share - CLOSER) / hidden, 0.0))
            wider = WIDEST - shown * np.exp(np.minimum((WIDER - share) / shown, 0.0))
            moved = (np.where(share < CLOSER, closer, wider) - share) * usual[changes]
            added[OUTER[which], :2] = (AWAY[which] * moved)[:, None] * across
        return added


def _distances(face: Points) -> tuple[Points, Points, float]:
    """Measure how far the ``OUTER`` landmarks are from the line between eye and mouth.

    Returns the distances across the face (16,), that direction (2,) and the line's height.
    """
    points = face[:, :2]
    up = points[FOREHEAD] - points[CHIN]
    height = max(float(np.hypot(*up)), 1e-6)
    across = np.array([-up[1], up[0]]) / height
    level = points @ up
    share = (level[OUTER] - level[MOUTH]) / np.maximum(level[EYE] - level[MOUTH], 1e-6)
    line = points[MOUTH] + np.clip(share, 0, 1)[:, None] * (points[EYE] - points[MOUTH])
    return AWAY * ((points[OUTER] - line) @ across), across, height

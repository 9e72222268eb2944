"""The sides of a turned head.

As far as the photo shows them, and never folded over the face. Pure numpy.

Landmarks of a far ear or jaw, which the head hides, are seen within the cheek or even beyond the eye: the
order in which a row of them is met turns round there. A picture moved by them would show the cheek a second
time, mirrored and drawn out over the background. So each of them stays on its side of the face, ever closer
to it, as it does at the outline of the head itself.

On the near side a turn brings to sight what the photo shows narrow, or not at all: under hair. Stretched over
all of it, the little that the photo shows would be a broad cheek. So there the landmarks part less than they
do.
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
"""The corners of eye and mouth of their side: the line between them stays in sight."""

AWAY = np.repeat([-1.0, 1.0], len(RIGHT_SIDE))
"""To the right of the picture or to its left."""

CLOSER, CLOSEST = 0.5, 0.08
"""Of its distance from that line in the photo, a landmark keeps what a turn leaves of it down to the first
share; from there on it goes ever slower towards the second."""

WIDER, WIDEST = 1.4, 1.6
"""The same for what a turn makes of it beyond that distance."""


class Outline:
    """Of one photo (88, 3)."""

    def __init__(self, photo: Points) -> None:
        distance, _, height = _distances(photo)
        # What the photo itself hides is left to the photo.
        self._seen = np.flatnonzero(distance > 0)
        self._usual = distance[self._seen] / height

    def correction(self, turned: Points) -> Points:
        """Return what to add to a pose (88, 3) so that this photo can show its sides.

        Nothing in small turns.

        Args:
            turned: (88, 3) the photo's own landmarks in that pose. Without the expression: a rounded mouth
                makes no broad jaw.
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

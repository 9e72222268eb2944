"""The far side of a turned head: what the cheek hides lies close behind its outline, never folded back over it. Pure numpy.

Landmarks of a far ear or jaw, which the head hides, are seen within the cheek or even beyond the eye: the order in which a row of them
is met turns round there. A picture moved by them would show the cheek a second time, mirrored and drawn out over the background. So
each of them stays on its side of the face, ever closer to it, as it does at the outline of the head itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

RIGHT, LEFT = (0, 1, 2, 3, 4, 5, 84, 86), (16, 15, 14, 13, 12, 11, 85, 87)
"""Landmarks of either side of the head, from the ear to the jaw and up to the temple."""

OUTER = np.array([*RIGHT, *LEFT])
EYE, MOUTH = np.repeat([36, 45], len(RIGHT)), np.repeat([48, 54], len(RIGHT))
"""The corners of eye and mouth of their side: the line between them stays in sight."""

AWAY = np.repeat([-1.0, 1.0], len(RIGHT))
"""To the right of the picture or to its left."""

CHIN, TOP = 8, 78

CLOSER, CLOSEST = 0.5, 0.08
"""Of its distance from that line in the photo, a landmark keeps what a turn leaves of it down to the first share; from there on it goes
ever slower towards the second."""


class Outline:
    """Of one photo (88, 3)."""

    def __init__(self, photo: Points) -> None:
        distance, _, height = _distances(photo)
        # What the photo itself hides is left to the photo.
        self._seen = np.flatnonzero(distance > 0)
        self._usual = distance[self._seen] / height

    def unfolded(self, face: Points) -> Points:
        """A face (88, 3) in a pose, with what this pose hides of the photo's behind its outline; unchanged where nothing is hidden."""
        distance, across, height = _distances(face)
        distance, knee, least = distance[self._seen], CLOSER * height * self._usual, CLOSEST * height * self._usual
        hides = distance < knee
        if not hides.any():
            return face
        which = self._seen[hides]
        distance, least, room = distance[hides], least[hides], (knee - least)[hides]
        hidden = least + room * np.exp((distance - least - room) / room)
        out = face.copy()
        out[OUTER[which], :2] += (AWAY[which] * (hidden - distance))[:, None] * across
        return out


def _distances(face: Points) -> tuple[Points, Points, float]:
    """How far the ``OUTER`` landmarks are from the line between eye and mouth, across the face, (18,); that direction (2,); its height."""
    points = face[:, :2]
    up = points[TOP] - points[CHIN]
    height = max(float(np.hypot(*up)), 1e-6)
    across = np.array([-up[1], up[0]]) / height
    level = points @ up
    share = (level[OUTER] - level[MOUTH]) / np.maximum(level[EYE] - level[MOUTH], 1e-6)
    line = points[MOUTH] + np.clip(share, 0, 1)[:, None] * (points[EYE] - points[MOUTH])
    return AWAY * ((points[OUTER] - line) @ across), across, height

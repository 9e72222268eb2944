"""Model how lips and jaw move with the gap between the lips. Pure numpy.

A driver's mouth at rest is seldom as open as the photo's. Without correction, such a neutral pose would press
the avatar's lips together whenever the driver closes the mouth further, and open them too little. The mouth
of the neutral pose is therefore first opened or closed to the photo's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import JAW, LIP_PAIRS, LIPS, NOSE_BASE, NOSE_TOP, indices

Points = npt.NDArray[np.float64]

MOVED = np.array(indices(JAW, LIPS))
"""Jaw line, outer and inner lips."""

# Right, down and away from the camera, in gaps between the lips: regression of each landmark's position in
# the head's own frame on the gap, within each of 97 clips of talking people, relative to the head at rest;
# mean weighted by the gap's variance, made symmetrical.
_JAW = (
    *(
        (-0.02, -0.03, 0.0),
        (-0.03, -0.04, 0.0),
        (-0.03, -0.02, 0.0),
        (-0.01, 0.04, 0.03),
        (0.01, 0.11, 0.07),
        (0.0, 0.16, 0.17),
    ),
    *(
        (-0.07, 0.28, 0.36),
        (-0.05, 0.45, 0.44),
        (0.0, 0.49, 0.46),
        (0.05, 0.45, 0.44),
        (0.07, 0.28, 0.36),
        (0.0, 0.16, 0.17),
    ),
    *((-0.01, 0.11, 0.07), (0.01, 0.04, 0.03), (0.03, -0.02, 0.0), (0.03, -0.04, 0.0), (0.02, -0.03, 0.0)),
)
_OUTER_LIPS = (
    *(
        (-0.19, 0.09, 0.28),
        (-0.20, -0.06, 0.14),
        (-0.09, -0.10, 0.03),
        (0.0, -0.11, 0.02),
        (0.09, -0.10, 0.03),
        (0.20, -0.06, 0.14),
    ),
    *(
        (0.19, 0.09, 0.28),
        (0.21, 0.52, 0.43),
        (0.19, 0.69, 0.46),
        (0.0, 0.83, 0.45),
        (-0.19, 0.69, 0.46),
        (-0.21, 0.52, 0.43),
    ),
)
_INNER_LIPS = (
    *((-0.16, 0.12, 0.30), (-0.13, -0.16, 0.03), (0.0, -0.19, -0.03), (0.13, -0.16, 0.03)),
    *((0.16, 0.12, 0.30), (0.13, 0.73, 0.37), (0.0, 0.85, 0.35), (-0.13, 0.73, 0.37)),
)
MOVES = np.array([*_JAW, *_OUTER_LIPS, *_INNER_LIPS])


def nose_length(face: Points) -> float:
    """Return the nose's length, the unit for gaps, which no expression changes."""
    return max(float(np.linalg.norm(face[NOSE_TOP] - face[NOSE_BASE])), 1e-6)


def lip_gaps(face: Points) -> Points:
    """Measure the gaps (3,) between the inner lips in nose lengths.

    0 is closed, about 0.5 wide open. Landmarks are (88, 3).
    """
    return np.asarray(np.linalg.norm(face[LIP_PAIRS[:, 0]] - face[LIP_PAIRS[:, 1]], axis=-1)) / nose_length(
        face
    )


def with_mouth_of(face: Points, other: Points) -> Points:
    """Return a face (88, 3) with its mouth opened or closed as far as the other's."""
    up = (face[NOSE_TOP] - face[NOSE_BASE])[:2]
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    upright = np.array(
        [[-up[1], up[0], 0.0], [-up[0], -up[1], 0.0], [0.0, 0.0, 1.0]]
    )  # rows: the head's right, down and back
    change = float(lip_gaps(other).mean() - lip_gaps(face).mean()) * nose_length(face)
    face = face.copy()
    face[MOVED] += change * MOVES @ upright
    return face

"""Measure smiles, and remove them from lips. Pure numpy.

A smile is transferred as an absolute value, not as a change since the neutral pose: the neutral pose is first
made to smile like the photo. So a driver who smiled during calibration still makes a serious photo smile, a
smiling photo becomes serious with a serious driver, and a driver's smile is not added to the photo's own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import LIPS, LOWER_LIP, MOUTH_LEFT, MOUTH_RIGHT, NOSE_BASE, UPPER_LIP
from avatar_app.motion.mouth import nose_length

Points = npt.NDArray[np.float64]

WIDTH, ABOVE, BELOW, FROM_NOSE, BASE = 0.78, 1.16, 1.2, -1.4, -0.14
"""Linear regression of smiles, 0 to 1 as an independent network measures them, over 97 clips and 344 photos.
Inputs: the mouth's width, and how far its corners lie above the middle of the upper and of the lower lip
and below the nose, in nose lengths. On other people the correlation is 0.91 and the mean error 0.11.
"""

DOUBT = 0.1, 0.3
"""A difference of smiles below the first value may be an error of the regression and is ignored; above the
second it counts in full.
"""

# Right, down and away from the camera, in nose lengths, for a whole smile: regression of landmarks on smiles,
# together with the gap between the lips, within clips and between photos of the same person; made
# symmetrical.
_OUTER = (
    *(
        (-0.17, -0.18, 0.12),
        (-0.10, -0.12, 0.08),
        (-0.04, -0.05, 0.04),
        (0.0, -0.04, 0.05),
        (0.04, -0.05, 0.04),
        (0.10, -0.12, 0.08),
    ),
    *(
        (0.17, -0.18, 0.12),
        (0.09, -0.12, 0.07),
        (0.06, -0.10, 0.04),
        (0.0, -0.09, -0.01),
        (-0.06, -0.10, 0.04),
        (-0.09, -0.12, 0.07),
    ),
)
_INNER = (
    *((-0.18, -0.16, 0.12), (-0.09, -0.09, 0.06), (0.0, -0.06, 0.04), (0.09, -0.09, 0.06)),
    *((0.18, -0.16, 0.12), (0.09, -0.08, 0.05), (0.0, -0.07, 0.02), (-0.09, -0.08, 0.05)),
)
MOVES = np.array([*_OUTER, *_INNER])


def smile_of(face: Points, faces: Points) -> float:
    """Measure the smile of landmarks (88, 3): 0 serious, about 1 a broad smile.

    Args:
        faces: rotation to the face from one that looks straight ahead.
    """
    straight = (face - face[NOSE_BASE]) @ faces / nose_length(face)
    corners = (straight[MOUTH_RIGHT, 1] + straight[MOUTH_LEFT, 1]) / 2
    width = float(np.linalg.norm(straight[MOUTH_LEFT] - straight[MOUTH_RIGHT]))
    above, below = straight[UPPER_LIP, 1] - corners, straight[LOWER_LIP, 1] - corners
    return float(BASE + WIDTH * width + ABOVE * above + BELOW * below + FROM_NOSE * corners)


def believed(difference: float) -> float:
    """Return the part of a smile difference (-1 to 1) beyond the regression's error."""
    least, most = DOUBT
    return difference * min(max((abs(difference) - least) / (most - least), 0.0), 1.0)


def with_less_smile(face: Points, faces: Points, by: float) -> Points:
    """Remove a smile of size ``by`` from the lips of a face (88, 3)."""
    face = face.copy()
    face[LIPS] -= by * nose_length(face) * MOVES @ faces.T
    return face

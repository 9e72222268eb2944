"""How much a face smiles, whoever's it is, and what a smile does to lips.

Pure numpy.

A smile is passed on as it is, not as a change since the neutral pose: the neutral pose is first made to smile
as the photo does. So a driver caught smiling at calibration still makes a serious photo smile, a smiling
photo turns serious with a serious driver, and a driver who smiles does not add a second smile to the photo's
own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import LIPS, LOWER_LIP, MOUTH_LEFT, MOUTH_RIGHT, NOSE_BASE, UPPER_LIP
from avatar_app.motion.mouth import nose_length

Points = npt.NDArray[np.float64]

WIDTH, ABOVE, BELOW, FROM_NOSE, BASE = 0.78, 1.16, 1.2, -1.4, -0.14
"""Linear regression of smiles, 0 to 1 as an independent network measures them, over 97 clips and 344
photos. Its inputs are the mouth's width and how far its corners lie above the middle of the upper and of the
lower lip and below the nose, in lengths of the nose. On other people it correlates by 0.91, with a mean error
of 0.11."""

DOUBT = 0.1, 0.3
"""A difference of smiles below the first value may be an error of the regression and is ignored; one above
the second counts in full."""

# Right, down and away from the camera, in lengths of the nose, for a whole smile: regression of landmarks on
# smiles, beside that on the gap between the lips, within clips and between photos of the same person; made
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
    """0 serious to about 1, of landmarks (88, 3).

    Args:
        faces: the rotation to it from a face that looks straight ahead.
    """
    straight = (face - face[NOSE_BASE]) @ faces / nose_length(face)
    corners = (straight[MOUTH_RIGHT, 1] + straight[MOUTH_LEFT, 1]) / 2
    width = float(np.linalg.norm(straight[MOUTH_LEFT] - straight[MOUTH_RIGHT]))
    above, below = straight[UPPER_LIP, 1] - corners, straight[LOWER_LIP, 1] - corners
    return float(BASE + WIDTH * width + ABOVE * above + BELOW * below + FROM_NOSE * corners)


def believed(difference: float) -> float:
    """Return the part of a difference of smiles beyond the regression's error.

    Both are -1 to 1.
    """
    least, most = DOUBT
    return difference * min(max((abs(difference) - least) / (most - least), 0.0), 1.0)


def with_less_smile(face: Points, faces: Points, by: float) -> Points:
    """The face (88, 3) with this much of a smile removed from its lips."""
    face = face.copy()
    face[LIPS] -= by * nose_length(face) * MOVES @ faces.T
    return face

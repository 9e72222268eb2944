"""The 88 face landmarks: names, groups and pairs, and the mean face.

Landmarks 0 to 67 follow the 68-point scheme of 300-W (Sagonas et al. 2013); then come five for each iris (its
centre first, then its rim) and ten on the forehead and the upper oval. "Right" and "left" are the person's
own: their right eye is on the left of a picture that is not mirrored. No other file of the package uses a
landmark's number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COUNT = 88

JAW = slice(0, 17)
"""The lower oval, from the right ear over the chin to the left ear."""

RIGHT_BROW, LEFT_BROW, BROWS = slice(17, 22), slice(22, 27), slice(17, 27)
NOSE_BRIDGE, NOSTRILS, NOSE = slice(27, 31), slice(31, 36), slice(27, 36)
RIGHT_EYE, LEFT_EYE, EYES = slice(36, 42), slice(42, 48), slice(36, 48)
"""The lids, each eye from the corner on the picture's left along the upper lid and back along the
lower one.
"""

OUTER_LIPS, INNER_LIPS, LIPS = slice(48, 60), slice(60, 68), slice(48, 68)
RIGHT_IRIS, LEFT_IRIS, IRISES = slice(68, 73), slice(73, 78), slice(68, 78)
UPPER_OVAL = slice(78, 88)
"""Forehead, temples and the oval above the ears."""

RIGHT_EAR, CHIN, LEFT_EAR = 0, 8, 16
RIGHT_BROW_OUTER, RIGHT_BROW_MIDDLE, RIGHT_BROW_INNER = 17, 19, 21
LEFT_BROW_INNER, LEFT_BROW_MIDDLE, LEFT_BROW_OUTER = 22, 24, 26
NOSE_TOP, NOSE_SECOND, NOSE_TIP, NOSE_BASE = 27, 28, 30, 33
RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_INNER, LEFT_EYE_OUTER = 36, 39, 42, 45
RIGHT_LID, LEFT_LID = 37, 44
"""The points of the upper lids next to the outer corners."""

MOUTH_RIGHT, MOUTH_LEFT, UPPER_LIP, LOWER_LIP = 48, 54, 51, 57
"""Corners of the mouth; middles of the outer lips."""

INNER_MOUTH_RIGHT, INNER_MOUTH_LEFT = 60, 64
UPPER_INNER_LIP, LOWER_INNER_LIP = slice(61, 64), slice(65, 68)
"""Without the corners; the lower one runs from left to right of the person, opposite to the upper one."""

RIGHT_PUPIL, LEFT_PUPIL = 68, 73
FOREHEAD = 78
"""The middle of the forehead, at the hair."""

LID_PAIRS = np.array([[37, 41], [38, 40], [43, 47], [44, 46]])
"""Upper and lower lid: two pairs of the right eye, two of the left."""

LIP_PAIRS = np.array([[61, 67], [62, 66], [63, 65]])
"""Inner upper and lower lip."""

OUTER_LIP_PAIRS = np.array([[50, 58], [51, 57], [52, 56]])
"""Outer upper and lower lip, beside ``LIP_PAIRS``."""

EYE_CORNERS = np.array([[36, 39], [42, 45]])
"""Both corners of each eye, from left to right in the picture."""

RIGHT_SIDE, LEFT_SIDE = (0, 1, 2, 3, 4, 5, 84, 86), (16, 15, 14, 13, 12, 11, 85, 87)
"""Each side of the head, from the ear to the jaw and up to the temple."""

STABLE = np.array([*range(27, 37), 39, 42, 45, *range(78, 88), 0, 1, 2, 14, 15, 16])
"""Nose, eye corners, forehead and upper oval, upper ends of the jaw: no lips, lids, brows or chin."""

ANCHORS = (
    *(0, 2, 4, 6, 8, 10, 12, 14, 16),
    *(17, 19, 21, 22, 24, 26),
    *(27, 30, 31, 33, 35),
    *range(36, 48),
    *(48, 50, 51, 52, 54, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 67),
    *(68, 73),
    *range(78, 88),
)
"""Landmarks that move independently; of dense curves (jaw, brows, irises) every other point suffices."""

CURVES = (
    tuple(range(0, 17)),  # jaw
    tuple(range(17, 22)),  # right brow
    tuple(range(22, 27)),  # left brow
    tuple(range(27, 36)),  # nose
    (36, 39, 42, 45),  # eye corners
    (37, 38),  # right upper lid
    (40, 41),  # right lower lid
    (43, 44),  # left upper lid
    (46, 47),  # left lower lid
    (68, 73),  # irises
    tuple(range(48, 55)),  # outer upper lip
    (54, 55, 56, 57, 58, 59, 48),  # outer lower lip
    (60, 61, 62, 63, 64),  # inner upper lip
    (64, 65, 66, 67, 60),  # inner lower lip
)
"""Landmarks that are drawn together, each group into one channel of a sketch."""

MIRRORED = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *(35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
    *(73, 76, 75, 74, 77, 68, 71, 70, 69, 72),
    *(78, 79, 81, 80, 83, 82, 85, 84, 87, 86),
)
"""For each landmark, its counterpart in a mirrored picture: ``mirrored[k] = points[MIRRORED[k]]``, x
negated.
"""

MEAN_FACE = {
    **{27: (0.0, -0.11, -0.46), 28: (0.0, 0.15, -0.63), 29: (0.0, 0.38, -0.84), 30: (0.0, 0.65, -0.84)},
    **{
        31: (-0.31, 0.73, -0.41),
        32: (-0.15, 0.76, -0.53),
        33: (0.0, 0.77, -0.56),
        34: (0.15, 0.76, -0.53),
        35: (0.31, 0.73, -0.41),
    },
    **{
        36: (-0.80, -0.05, -0.05),
        39: (-0.31, -0.02, -0.15),
        42: (0.31, -0.02, -0.15),
        45: (0.80, -0.05, -0.05),
    },
    **{78: (0.0, -1.0, -0.37), 79: (0.0, -0.72, -0.44), 80: (-0.34, -0.99, -0.34), 81: (0.34, -0.99, -0.34)},
    **{
        82: (-0.89, -0.83, -0.02),
        83: (0.89, -0.83, -0.02),
        84: (-1.07, -0.66, 0.21),
        85: (1.07, -0.66, 0.21),
    },
    **{86: (-1.23, -0.23, 0.67), 87: (1.23, -0.23, 0.67), 0: (-1.26, 0.05, 0.86), 16: (1.26, 0.05, 0.86)},
    **{1: (-1.25, 0.31, 0.94), 15: (1.25, 0.31, 0.94), 2: (-1.19, 0.87, 0.90), 14: (1.19, 0.87, 0.90)},
}
"""Landmarks that no expression moves much, mean of 245 frontal faces: x right, y down, z away from the
camera, in about 6 cm.
"""

CAMERA = np.linalg.pinv([(*place, 1.0) for place in MEAN_FACE.values()]).T.tolist()
"""(landmarks, 4): positions (2, landmarks) times it give the affine camera that maps the mean face nearest to
them (least squares).
"""


def indices(*parts: slice | int) -> tuple[int, ...]:
    """Return the numbers of groups and single landmarks, in the given order."""
    return tuple(
        index for part in parts for index in (range(COUNT)[part] if isinstance(part, slice) else (part,))
    )


def face_height(points: npt.NDArray[np.floating]) -> float:
    """Return the distance from forehead to chin of (88, 2 or 3) landmarks.

    In their unit; depth does not count.
    """
    return float(np.linalg.norm(points[FOREHEAD, :2] - points[CHIN, :2]))

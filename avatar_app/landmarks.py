"""The mean of many faces, as the landmark network sees them: it tells which way a head looks, and where the rest of it is."""

from __future__ import annotations

import numpy as np

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
"""Landmarks that no expression moves much, on 245 faces seen from the front: x right, y down, z away from the camera, in about 6 cm."""

CAMERA = np.linalg.pinv([(*place, 1.0) for place in MEAN_FACE.values()]).T.tolist()
"""(landmarks, 4): positions (2, landmarks) times it are the affine camera that takes the mean face nearest to them (least squares)."""

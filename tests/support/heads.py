"""A synthetic face of 88 landmarks, and changes to it."""

from __future__ import annotations

import numpy as np

from avatar_app.landmarks import LID_PAIRS, LIP_PAIRS, OUTER_LIP_PAIRS
from avatar_app.motion.head import Points


def _arc(
    count: int, center: tuple[float, float], radius: tuple[float, float], start: float, stop: float
) -> Points:
    angle = np.radians(np.linspace(start, stop, count))
    return np.stack([center[0] + radius[0] * np.cos(angle), center[1] + radius[1] * np.sin(angle)], 1)


def _ring(count: int, center: tuple[float, float], radius: tuple[float, float]) -> Points:
    """Clockwise as seen, starting on the left."""
    return _arc(count + 1, center, radius, 180, 540)[:-1]


def make_head(mouth: float = 0.01, lids: float = 0.1) -> Points:
    """(88, 3) landmarks of a frontal face in [-1, 1].

    Args:
        mouth: gap between the inner lips in the middle.
        lids: gap between the lids; the eyes are 0.2 wide.
    """
    right, left = (-0.2, -0.1), (0.2, -0.1)
    flat = np.concatenate(
        [
            _arc(17, (0, 0), (0.42, 0.5), 180, 0),  # jaw
            _arc(5, (-0.2, -0.18), (0.12, 0.06), 190, 350),
            _arc(5, (0.2, -0.18), (0.12, 0.06), 190, 350),
            np.stack([np.zeros(4), np.linspace(-0.1, 0.08, 4)], 1),  # nose
            _arc(5, (0, 0.1), (0.07, 0.03), 180, 0),
            _ring(6, right, (0.1, lids / 2 / np.sin(np.radians(60)))),
            _ring(6, left, (0.1, lids / 2 / np.sin(np.radians(60)))),
            _ring(12, (0, 0.27), (0.15, 0.04 + mouth / 2)),
            _ring(8, (0, 0.27), (0.12, mouth / 2)),
            [right],
            _ring(4, right, (0.03, 0.03)),
            [left],
            _ring(4, left, (0.03, 0.03)),
            [(0, -0.5), (0, -0.35)],
            [
                (side * x, y)
                for x, y in ((0.15, -0.48), (0.27, -0.41), (0.36, -0.3), (0.41, -0.15))
                for side in (-1, 1)
            ],
        ]
    )
    depth = 0.9 * np.hypot(flat[:, 0], flat[:, 1] * 0.6)
    depth[27:36] -= np.concatenate([np.linspace(0.05, 0.18, 4), np.full(5, 0.1)])
    return np.concatenate([flat, depth[:, None]], 1)


def lip_gap(face: Points) -> float:
    """Mean height between the inner lips."""
    return float((face[LIP_PAIRS[:, 1], 1] - face[LIP_PAIRS[:, 0], 1]).mean())


def lid_gap(face: Points) -> float:
    """Mean distance between the lids."""
    return float(np.linalg.norm(face[LID_PAIRS[:, 0]] - face[LID_PAIRS[:, 1]], axis=-1).mean())


def open_mouth(face: Points, by: float) -> Points:
    """Lower the lower lip and the chin."""
    face = face.copy()
    face[[*LIP_PAIRS[:, 1], *OUTER_LIP_PAIRS[:, 1], 7, 8, 9], 1] += by
    return face

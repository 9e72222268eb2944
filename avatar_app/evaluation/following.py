"""Measure how well an avatar follows its driver, by one landmark network for both.

Correlation alone misses a blink that shuts half; the slope shows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avatar_app.landmarks import (
    BROWS,
    CHIN,
    EYE_CORNERS,
    FOREHEAD,
    LEFT_PUPIL,
    LIP_PAIRS,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    NOSE_BASE,
    NOSE_TOP,
    RIGHT_PUPIL,
)
from avatar_app.motion.eyes import lid_gaps
from avatar_app.motion.head import Points, angles, facing, fit_rigid
from avatar_app.motion.mouth import nose_length
from avatar_app.training.metrics import correlation, slope
from avatar_app.types import Array, Face

SIGNALS = ("yaw", "pitch", "roll", "mouth", "lids", "gaze", "brows")

FLOORS = {"yaw": 1.5, "pitch": 1.5, "roll": 1.5, "mouth": 0.01, "lids": 0.03, "gaze": 0.02, "brows": 0.007}
"""Spread of the driver's signal (degrees, or as measured by `expression`) below which following cannot be
judged.
"""

WIDEST = 95
"""Percentile of the mouth's width that counts as its widest."""

FOLLOWING = (
    dict.fromkeys(SIGNALS, "correlation with the driver")
    | {f"{name}_slope": "motion for each unit of the driver's" for name in SIGNALS}
    | {"width": "widest mouth, in lengths of the nose, over the driver's"}
)
"""Keys of `following`'s result, and their meaning."""


def following(driver: Sequence[Face | None], shown: Sequence[Face | None]) -> dict[str, float | None]:
    """Return the figures of ``FOLLOWING`` for a driver's and an avatar's faces.

    Args:
        driver, shown: the faces frame by frame.
    """
    wanted, given = signals(driver), signals(shown)
    figures = {name: correlation(wanted[name], given[name], FLOORS[name]) for name in SIGNALS}
    for name in SIGNALS:
        figures[f"{name}_slope"] = slope(wanted[name], given[name], FLOORS[name])
    figures["width"] = widest(shown) / widest(driver)
    return {name: rounded(value) for name, value in figures.items()}


def widest(faces: Sequence[Face | None]) -> float:
    """Return the mouth's largest width in nose lengths; NaN without a face."""
    points = [face.points.astype(np.float64) for face in faces if face]
    widths = [np.linalg.norm(face[MOUTH_LEFT] - face[MOUTH_RIGHT]) / nose_length(face) for face in points]
    return float(np.percentile(widths, WIDEST)) if widths else float("nan")


def signals(faces: Sequence[Face | None]) -> dict[str, Array]:
    """Return yaw, pitch and roll of the head in degrees, and `expression`, (T,) each.

    NaN without a face.
    """
    table = np.full((len(faces), len(SIGNALS)), np.nan, np.float32)
    first = next((face for face in faces if face), None)
    faced = facing(first.points.astype(np.float64)) if first else np.eye(3)
    for index, face in enumerate(faces):
        if face is None or first is None:
            continue
        points = face.points.astype(np.float64)
        turned = fit_rigid(first.points.astype(np.float64), points).rotation @ faced
        table[index] = *angles(turned), *expression(points[:, :2])
    return dict(zip(SIGNALS, table.T, strict=True))


def expression(points: Points) -> tuple[float, float, float, float]:
    """Measure the expression of landmarks (88, 2).

    Gap of the lips and height of the brows above the eyes in face heights; gap of the lids and position of
    the irises, to the right of the eyes' middles, in eye widths.
    """
    height = np.linalg.norm(points[FOREHEAD] - points[CHIN])
    corners = points[EYE_CORNERS]
    along = corners[:, 1] - corners[:, 0]
    width = np.linalg.norm(along, axis=1)
    looks = ((points[[RIGHT_PUPIL, LEFT_PUPIL]] - corners.mean(1)) * along).sum(1) / width**2
    up = points[NOSE_TOP] - points[NOSE_BASE]
    brows = (points[BROWS].mean(0) - corners.mean((0, 1))) @ up / np.linalg.norm(up)
    gap = np.linalg.norm(points[LIP_PAIRS[:, 0]] - points[LIP_PAIRS[:, 1]], axis=1).mean()
    return float(gap / height), float(lid_gaps(points).mean()), float(looks.mean()), float(brows / height)


def rounded(value: float) -> float | None:
    """Round to six decimals for a report; None for a NaN."""
    return round(value, 6) if np.isfinite(value) else None

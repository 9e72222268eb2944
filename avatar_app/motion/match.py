"""Measure how well the user's pose matches the photo's, for the calibration panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_app.motion.eyes import lid_gaps
from avatar_app.motion.head import Points, angles, fit_rigid
from avatar_app.motion.mouth import lip_gaps
from avatar_app.types import Array, Box, Image

HEAD = 12.0
"""Degrees of difference at which the head's score is 0.6."""

EXPRESSION = 0.1
"""Difference of openings at which the expression's score is 0.6."""


@dataclass(frozen=True, slots=True)
class Match:
    """Scores 0..1 of the user's pose against the photo's; 1 is a perfect match."""

    score: float
    head: float
    expression: float
    position: float


def turn_between(portrait: Array, driver: Array) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees from one face's pose to another's.

    Args:
        portrait, driver: (88, 3) landmarks.
    """
    return angles(fit_rigid(portrait.astype(np.float64), driver.astype(np.float64)).rotation)


def match(portrait: Array, driver: Array, turn: tuple[float, float, float], image: Image, box: Box) -> Match:
    """Compare two faces.

    Args:
        portrait, driver: (88, 3) landmarks in [-1, 1] of their crops.
        turn: ``turn_between`` them.
        image: the camera's picture.
        box: the driver's crop in it.
    """
    photo, user = portrait.astype(np.float64), driver.astype(np.float64)
    head = _score(float(np.linalg.norm(turn)) / HEAD)
    expression = _score(float(np.abs(_openings(photo) - _openings(user)).max()) / EXPRESSION)
    position = _position(image, box)
    return Match(
        round(float((head**2 * expression * position) ** 0.25), 3),
        round(head, 3),
        round(expression, 3),
        round(position, 3),
    )


def _score(distance: float) -> float:
    return float(np.exp(-0.5 * distance**2))


def _openings(face: Points) -> Points:
    """Return openings (2,): of lips in nose lengths, of lids in eye widths."""
    return np.array([lip_gaps(face).max() / 2, lid_gaps(face).mean()])


def _position(image: Image, box: Box) -> float:
    """Return 1 if the crop lies within the picture and is large enough, else less."""
    height, width = image.shape[:2]
    half = box.size / 2
    inside_x = min(box.center_x + half, width) - max(box.center_x - half, 0.0)
    inside_y = min(box.center_y + half, height) - max(box.center_y - half, 0.0)
    inside = max(0.0, inside_x) * max(0.0, inside_y) / box.size**2
    large = min(1.0, box.size / (0.35 * height))
    return float(min(1.0, inside / 0.9) * large)

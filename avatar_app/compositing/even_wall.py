"""Clean even walls around a person of remains of the matte.

These are stray hairs, a soft rim, and steps in the filling. Where the wall varies little, it is continued
from farther away, which does not show. Where there are things, the background stays as it is.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.extension import filled
from avatar_app.types import Image

Plane = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

PERSON = 25
"""Alpha above which a pixel is at least partly the person's."""

RIM = 12
"""Divisor of the side: width of the zone around the person where remains of the matte lie."""

EVEN, UNEVEN = 3.0, 9.0
"""Deviation of a wall from its own mean, in levels: up to the first value it is even, from the second on it
is not a wall.
"""

TREND = 14
"""Divisor of the side: shades change over longer distances than this."""

GRAIN = 2.0
"""Standard deviations of the wall's fine texture that are kept beside the person; more is a hair."""

SMALLER = 4
"""Divisor of rows and columns: walls are smooth, so reduced copies suffice."""


def with_even_wall(background: Image, person: Plane, side: int) -> Image:
    """Continue even walls of the background (h, w, 3) behind the person.

    Args:
        person: (h, w), alpha 0 to 255.
        side: of the square crop, the unit of all lengths.
    """
    covered = person > PERSON
    if covered.all() or not covered.any():
        return background
    distance = cv2.distanceTransform(1 - covered.astype(np.uint8), cv2.DIST_L2, 5)
    rim = side / RIM
    far = (distance > rim).astype(np.float32)
    if not far.any():
        return background
    picture = background.astype(np.float32)
    fine = np.asarray(picture - _smooth(picture, side / 256), np.float32)
    wall, even, usual = _wall(picture, fine, far, side)
    near = np.clip((1.5 * rim - distance) / (0.5 * rim), 0, 1)
    grain = np.clip(fine, -GRAIN * usual, GRAIN * usual)
    weight = (even * near)[..., None]
    return np.asarray((picture + weight * (wall + grain - picture)).round().clip(0, 255), np.uint8)


def _wall(picture: Floats, fine: Floats, far: Floats, side: int) -> tuple[Floats, Floats, Floats]:
    """Extrapolate the wall from where ``far`` (h, w) is 1.

    Returns its shade (h, w, 3), its evenness, 0 to 1 (h, w), and the standard deviation of its fine texture
    (h, w, 3).
    """
    height, width = far.shape
    few = (max(1, width // SMALLER), max(1, height // SMALLER))
    radius = side / SMALLER / TREND

    def known(values: Floats) -> Floats:
        return np.asarray(cv2.resize(values * far[..., None], few, interpolation=cv2.INTER_AREA), np.float32)

    def large(values: Floats) -> Floats:
        return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    seen = np.asarray(cv2.resize(far, few, interpolation=cv2.INTER_AREA), np.float32)
    weight = np.minimum(_smooth(seen, radius), 1)
    small = known(picture)
    wall = _smooth(filled(small, seen), radius / 2)
    unlike = filled(_smooth((small - wall * seen[..., None]) ** 2, radius), weight).max(2)
    even = np.clip((UNEVEN - np.sqrt(unlike.clip(0))) / (UNEVEN - EVEN), 0, 1)
    usual = np.sqrt(filled(_smooth(known(fine**2), radius), weight).clip(0))
    return large(wall), large(_smooth(even, radius)), large(usual)


def _smooth(values: Floats, radius: float) -> Floats:
    soft = cv2.GaussianBlur(values, (0, 0), max(0.5, radius), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(soft, np.float32)

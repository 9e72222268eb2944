"""Teeth between moving lips, in bytes: the second half of `avatar_app.networks.anchored.teeth`, which says what it is for.

Positions are in [-1, 1] of the picture, x first, edges at the middle of the outermost pixels; P landmarks are (P, 2).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import CAMERA, MEAN_FACE
from avatar_app.types import Image

Floats = npt.NDArray[np.float32]

SHOWN = 0.07, 0.09
"""Between these gaps of the lips, over the length of the nose, a photo begins to show teeth."""

RIGID = slice(27, 36), slice(36, 46, 3)
"""Nose and corners of the eyes: what moves as the upper jaw does."""

NOSE_BASE = slice(31, 36)

TO_TEETH = 0.0, 0.40, 0.04
"""From the base of the nose to the line between closed lips, on the mean face."""

STABLE, TO_CAMERA = list(MEAN_FACE), np.array(CAMERA)

FLAT = 1e-6
"""A face seen as thin as this is none."""

EDGE = 0.012
"""Over this distance lips become the inside of the mouth."""

SHADE, LIP_SHADOW, CORNER_SHADOW = 0.05, 0.3, 0.35
"""This far from the upper lip teeth are out of its shadow; how deep this shadow is, and the one in the corners of the mouth."""

DARKNESS = 0.36, 0.19, 0.21
"""Of the lower lip's red, green and blue so much is left inside the mouth."""

DEPTH = 0.5, 0.7
"""How light that is just below the teeth, and how much lighter at the lower lip."""

WIDE, DARK = 0.12, (0.2, 1.0)
"""So much wider open than in the photo, the mouth is dark below the teeth: so far instead of what the networks painted there, with drawn
teeth and with a photo's own, which they stretch."""

WIDER = 0.03, 0.15
"""A mouth that is wider than in the photo by more than the first, and by the second for sure, in lengths of the nose, smiles; one that is
narrower rounds."""

DROP = 0.14
"""So much further down a smile shows drawn teeth, in halves of the mouth's width; rounded lips hide as much."""

LOWER_LIP = slice(56, 59), slice(65, 68)

ROOM = 4
"""Pixels around the mouth that are looked at too."""

FARTHEST = 100.0
"""Landmarks farther out are no face."""


class Lip(NamedTuple):
    """A curve through the corners of the mouth: ``bow * (1 - u * u) ** power`` below the line between them, u in [-1, 1]."""

    bow: float
    power: float

    def below(self, u: Floats) -> Floats:
        return np.asarray(self.bow * (1 - u * u).clip(1e-4) ** self.power, np.float32)


class Opening(NamedTuple):
    """The opening between the lips.

    Attributes:
        middle: (2,) between the corners.
        along: (2,) from the right corner to the left one, of length 1; a quarter turn from it points to the chin.
        half: half the distance of the corners.
    """

    middle: Floats
    along: Floats
    half: float
    upper: Lip
    lower: Lip

    def place(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Along the mouth, -1 and 1 at its corners, and below the line between them."""
        return _place(x, y, self.middle, self.along, self.half)

    def height(self) -> float:
        return self.lower.bow - self.upper.bow


def _place(x: Floats, y: Floats, middle: Floats, along: Floats, half: float) -> tuple[Floats, Floats]:
    x, y = x - middle[0], y - middle[1]
    return (x * along[0] + y * along[1]) / half, y * along[0] - x * along[1]


def opening(points: Floats) -> Opening:
    """Of landmarks (P, 2)."""
    right, left = points[60], points[64]
    half = max(float(np.hypot(*(left - right))) / 2, 1e-3)
    middle, along = (left + right) / 2, (left - right) / (2 * half)
    upper, lower = (
        _lip(*_place(lip[:, 0], lip[:, 1], middle, along, half)) for lip in (points[61:64], points[65:68])
    )
    return Opening(middle, along, half, upper, lower)


def _lip(u: Floats, below: Floats) -> Lip:
    """The curve through the middle one of three points of a lip and between the others."""
    bow = float(below[1])
    aside = float(np.mean(u[[0, 2]] ** 2).clip(0.1, 0.8))
    share = float(np.mean(below[[0, 2]])) / bow if abs(bow) > 1e-4 else 1.0
    return Lip(bow, float(np.clip(np.log(max(share, 0.1)) / np.log(1 - aside), 0.4, 1.5)))


def skull_map(still: Floats, pose: Floats) -> Floats:
    """(2, 3) where the upper half of the face comes from: pose -> photo, exact at the base of the nose."""
    base_here, base_there = (points[NOSE_BASE].mean(0) for points in (pose, still))
    here, there = (
        np.concatenate([points[part] for part in RIGID]) - base
        for points, base in ((pose, base_here), (still, base_there))
    )
    linear = np.linalg.solve(here.T @ here + 1e-6 * np.eye(2), here.T @ there).T
    return np.column_stack([linear, base_there - linear @ base_here]).astype(np.float32)


def jaw_map(still: Floats, pose: Floats) -> Floats:
    """(2, 3) where the upper jaw comes from: pose -> photo.

    It is as far below the nose as deep behind its tip: where a head nods, what holds for nose and eyes does not lead there.
    """
    cameras = [points[STABLE].T @ TO_CAMERA for points in (pose, still)]
    bases = [
        points[NOSE_BASE].mean(0) + camera[:, :3] @ TO_TEETH
        for points, camera in zip((pose, still), cameras, strict=True)
    ]
    (a, b), (c, d) = cameras[0][:, :2]
    inverse = np.array([[d, -b], [-c, a]]) / max(a * d - b * c, FLAT)
    linear = cameras[1][:, :2] @ inverse
    return np.column_stack([linear, bases[1] - linear @ bases[0]]).astype(np.float32)


class Teeth(NamedTuple):
    """Of a photo.

    Attributes:
        layer: (S, S, 4), colours of teeth and, last, where they are.
        cavity: (3,) colour of the inside of the mouth, 0 to 255.
        still, mouth: (P, 2), the photo's landmarks, and its mouth.
        own: how surely these are the photo's own teeth, 0 to 1.
    """

    layer: Image
    cavity: Floats
    still: Floats
    mouth: Opening
    own: float


def teeth_of(layer: Image, cavity: Floats, still: Floats) -> Teeth:
    """What `Teeth` says, of a photo with the landmarks ``still``."""
    return Teeth(layer, cavity, still, opening(still), shows_teeth(still))


def show_teeth(picture: Image, teeth: Teeth, pose: Floats) -> None:
    """Put a photo's teeth into the mouth of a picture (S, S, 3) with the landmarks ``pose`` (P, 2), in place."""
    side = len(picture)
    box = (
        around(pose[60:68], side) if (abs(pose) < FARTHEST).all() else None
    )  # nor is a place that is no number
    if box is None:
        return
    here, there, to_photo = opening(pose), teeth.mouth, jaw_map(teeth.still, pose)
    scale = float(abs(np.linalg.det(to_photo[:, :2]))) ** 0.5
    wider, upper, lower = (scale * a - b for a, b in zip(_measures(here), _measures(there), strict=True))
    # A mouth that is as in the photo is left as it is.
    amount = min(max((abs(wider) + abs(upper) + abs(lower)) / EDGE - 0.5, 0.0), 1.0)
    dark = min(max((lower - upper) / WIDE, 0.0), 1.0) * (DARK[0] + teeth.own * (DARK[1] - DARK[0]))
    if amount == 0:
        return
    row, column = np.ogrid[box]
    x, y = (np.asarray(line * (2 / (side - 1)) - 1, np.float32) for line in (column, row))
    u, v = here.place(x, y)
    under, over = v - here.upper.below(u), here.lower.below(u) - v
    inside = amount * (abs(u) < 1) * (under / EDGE).clip(0, 1) * (over / (1.5 * EDGE)).clip(0, 1)
    smile = (1 - teeth.own) * _smile(teeth.still, wider)
    down = np.float32(DROP * smile * there.half)
    at = [
        line[0] * x + line[1] * y + (line[2] - down * way)
        for line, way in zip(to_photo, (-there.along[1], there.along[0]), strict=True)
    ]
    found = _sample(teeth.layer, *at)
    shade = (
        1
        - LIP_SHADOW * (1 - (under / SHADE).clip(0, 1))
        - CORNER_SHADOW * np.square(np.square(u.clip(-1, 1)))
    )
    deep = 1 - (over / max(here.height(), 1e-3)).clip(0, 1)
    before = picture[box]
    filling = before + dark * (teeth.cavity * wide(DEPTH[0] + DEPTH[1] * deep * deep) - before)
    filling += wide(found[..., 3] * np.float32(1 / 255)) * (
        cv2.cvtColor(found, cv2.COLOR_RGBA2RGB) * wide(shade) - filling
    )
    before[...] = before + wide(inside) * (filling - before) + 0.5


def _smile(still: Floats, wider: float) -> float:
    """How surely a mouth that is wider than the photo's by so much on each side smiles, 0 to 1, or rounds, 0 to -1."""
    surely = min(max((abs(wider) / _nose(still) - WIDER[0]) / (WIDER[1] - WIDER[0]), 0.0), 1.0)
    return surely if wider > 0 else -surely


def shows_teeth(points: Floats) -> float:
    """How surely a photo with these landmarks (P, 2) does, 0 to 1."""
    apart = np.hypot(*(points[61:64] - points[67:64:-1]).T).mean() / _nose(points)
    return float(np.clip((apart - SHOWN[0]) / (SHOWN[1] - SHOWN[0]), 0, 1))


def _nose(points: Floats) -> float:
    """Its length."""
    return max(float(np.hypot(*(points[27] - points[33]))), 1e-3)


def _sample(layer: Image, x: Floats, y: Floats) -> Floats:
    """The layer (S, S, 4) at places in [-1, 1]."""
    columns, rows = (np.asarray((line + 1) * ((len(layer) - 1) / 2), np.float32) for line in (x, y))
    found = cv2.remap(layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def wide(values: Any) -> Any:
    """The same (h, w) for three colours: numpy takes four times as long where the last axis is of one."""
    return cv2.merge((values, values, values))


def _measures(mouth: Opening) -> tuple[float, float, float]:
    return mouth.half, mouth.upper.bow, mouth.lower.bow


def around(points: Floats, side: int) -> tuple[slice, slice] | None:
    """Rows and columns of the picture with these points in [-1, 1] and some room; None if that is nothing."""
    pixels = (points + 1) * ((side - 1) / 2)
    low, high = np.floor(pixels.min(0)).astype(int) - ROOM, np.ceil(pixels.max(0)).astype(int) + ROOM + 1
    (left, top), (right, bottom) = low.clip(0, side).tolist(), high.clip(0, side).tolist()
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None

"""Teeth are part of the skull: lips move over them.

A photo that shows teeth has them between lips that a pose brings elsewhere. Moved as the lips are, teeth would be stretched and squeezed
with every word. So the mouth is filled with the photo's own teeth, moved as the upper half of the face is; what lies below them is dark.

Positions are in [-1, 1] of the picture, x first, edges at the middle of the outermost pixels; P landmarks are (P, 2).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.types import Image

Floats = npt.NDArray[np.float32]

SHOWN = 0.05, 0.09
"""Between these gaps of the lips, over the length of the nose, a photo begins to show teeth."""

RIGID = slice(27, 36), slice(36, 46, 3)
"""Nose and corners of the eyes: what moves as the upper jaw does."""

NOSE_BASE = slice(31, 36)

EDGE = 0.012
"""Over this distance lips become the inside of the mouth."""

SHADE, LIP_SHADOW, CORNER_SHADOW = 0.05, 0.35, 0.4
"""This far from the upper lip teeth are out of its shadow; how deep this shadow is, and the one in the corners of the mouth."""

DARKNESS = 0.3, 0.15, 0.17
"""Of the lower lip's red, green and blue so much is left inside the mouth."""

DEPTH = 0.7, 1.8
"""How light that is just below the teeth, and how much lighter at the lower lip."""

WIDE = 0.06
"""So much wider open than in the photo, the mouth is dark below the teeth; less than that, lower teeth may be seen there."""

LOWER_LIP = slice(56, 59), slice(65, 68)

ROOM = 4
"""Pixels around the mouth that are looked at too."""


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
    upper, lower = (_lip(*_place(lip[:, 0], lip[:, 1], middle, along, half)) for lip in (points[61:64], points[65:68]))
    return Opening(middle, along, half, upper, lower)


def _lip(u: Floats, below: Floats) -> Lip:
    """The curve through the middle one of three points of a lip and between the others."""
    bow = float(below[1])
    aside = float(np.mean(u[[0, 2]] ** 2).clip(0.1, 0.8))
    share = float(np.mean(below[[0, 2]])) / bow if abs(bow) > 1e-4 else 1.0
    return Lip(bow, float(np.clip(np.log(max(share, 0.1)) / np.log(1 - aside), 0.4, 1.5)))


def shows_teeth(points: Floats) -> float:
    """How surely a photo with these landmarks does, 0 to 1."""
    nose = max(float(np.hypot(*(points[27] - points[33]))), 1e-3)
    apart = np.hypot(*(points[61:64] - points[67:64:-1]).T).mean() / nose
    return float(np.clip((apart - SHOWN[0]) / (SHOWN[1] - SHOWN[0]), 0, 1))


def skull_map(still: Floats, pose: Floats) -> Floats:
    """(2, 3) where the upper half of the face comes from: pose -> photo, exact at the base of the nose."""
    base_here, base_there = (points[NOSE_BASE].mean(0) for points in (pose, still))
    here, there = (np.concatenate([points[part] for part in RIGID]) - base for points, base in ((pose, base_here), (still, base_there)))
    linear = np.linalg.solve(here.T @ here + 1e-6 * np.eye(2), here.T @ there).T
    return np.column_stack([linear, base_there - linear @ base_here]).astype(np.float32)


def show_teeth(picture: Image, photo: Image, still: Floats, pose: Floats) -> None:
    """Put the photo's teeth into the mouth of a picture, in place.

    Args:
        picture: (S, S, 3).
        photo: (S, S, 3), or more channels, of which the first three count.
        still, pose: (P, 2), of the photo and of the picture.
    """
    shown, side = shows_teeth(still), len(picture)
    if shown == 0 or not np.isfinite(pose).all():
        return
    pixels = (pose[60:68] + 1) * ((side - 1) / 2)
    low, high = np.floor(pixels.min(0)).astype(int) - ROOM, np.ceil(pixels.max(0)).astype(int) + ROOM + 1
    (left, top), (right, bottom) = low.clip(0, side), high.clip(0, side)
    if right <= left or bottom <= top:
        return
    row, column = np.meshgrid(np.arange(top, bottom), np.arange(left, right), indexing="ij")
    x, y = (np.asarray(line * (2 / (side - 1)) - 1, np.float32) for line in (column, row))
    here, there = opening(pose), opening(still)
    u, v = here.place(x, y)
    under_lip = v - here.upper.below(u)
    inside = shown * (under_lip / EDGE).clip(0, 1) * ((here.lower.below(u) - v) / (1.5 * EDGE)).clip(0, 1) * (abs(u) < 1)
    # As far as the mouth is wider open than the photo's, the teeth end before the photo's lower lip.
    opened = here.height() - there.height()
    wider, wide = (min(max(opened / full, 0.0), 1.0) for full in (2 * EDGE, WIDE))

    to_photo = skull_map(still, pose)
    from_x, from_y = (line[0] * x + line[1] * y + line[2] for line in to_photo)
    u_there, v_there = there.place(from_x, from_y)
    end = there.lower.below(u_there) - wider * EDGE
    teeth_here = ((end - v_there) / EDGE + 0.5).clip(0, 1)
    raised = (there.upper.below(u_there) + wider * EDGE - v_there).clip(0)  # above what the photo shows its uppermost row goes on
    teeth = _sample(photo, from_x - raised * there.along[1], from_y + raised * there.along[0])
    shade = 1 - wider * (LIP_SHADOW * (1 - (under_lip / SHADE).clip(0, 1)) + CORNER_SHADOW * u.clip(-1, 1) ** 4)
    deep = ((v_there - end) / max(here.height(), 1e-3)).clip(0, 1)
    cavity = _dark_lip(photo, still) * (DEPTH[0] + DEPTH[1] * deep * deep)[..., None]
    before = picture[top:bottom, left:right]
    filling = before + wide * (cavity - before)
    filling += teeth_here[..., None] * (teeth * shade[..., None] - filling)
    before[...] = before + inside[..., None] * (filling - before) + 0.5


def _dark_lip(photo: Image, still: Floats) -> Floats:
    """The colour (3,) of the inside of the mouth, told by the middle of the lower lip."""
    outer, inner = (still[part].mean(0) for part in LOWER_LIP)
    x, y = ((outer + inner) / 2)[:, None, None]
    return np.asarray(_sample(photo, x, y)[0, 0] * np.array(DARKNESS), np.float32)


def _sample(picture: Image, x: Floats, y: Floats) -> Floats:
    """Colours (h, w, 3) at places in [-1, 1]."""
    columns, rows = (np.asarray((line + 1) * ((len(picture) - 1) / 2), np.float32) for line in (x, y))
    found = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found[..., :3], np.float32)

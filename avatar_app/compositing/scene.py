"""Build an avatar's scene: person and background of the whole photo.

It combines what the networks find in the square with what they find in a wider one. The square's own matte is
finer; the wider square, which the same network sees smaller, shows what the crop cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.clean_plate import (
    Layers,
    keep_one_person,
    nearest_person,
    own_colours,
    whole_person,
    without_stray_hair,
)
from avatar_app.compositing.extension import HALF, extended_background, extended_person, filled
from avatar_app.landmarks import CHIN, FOREHEAD, NOSE_TIP
from avatar_app.types import Area, Crop, Image, Scene, Surroundings

Plane = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WIDEST = 2.2
"""Side of the wider square, in sides of the square; in a larger one faces are too small for the network."""

SEAM = 16
"""Divisor of the side: width of the blend from the square's layers to those of the wider one."""

SURE = 0.35, 0.85
"""Below the first alpha a pixel takes its neighbours' colours, above the second it keeps its own."""

DOUBT = 0.3, 0.7
"""Range of the wider square's alpha that is stretched to 0 to 1."""


class Wide(NamedTuple):
    """The wider square.

    Attributes:
        crop: (S, S) pixels, with landmarks.
        area: its position in the surroundings.
    """

    crop: Crop
    area: Area


class MatteResult(NamedTuple):
    """Output of the matte network for a square.

    Alpha (S, S), and the background (S, S, 3) with the person filled in smoothly.
    """

    person: Plane
    filled: Image


def wider(crop: Crop) -> Wide | None:
    """Return the square that shows what the crop cut off.

    None if that is almost nothing, or unknown.
    """
    around, side = crop.around, len(crop.image)
    if around is None or crop.landmarks is None:
        return None
    (x, y), photo = around.corner, around.photo
    middle_x, middle_y = x + side // 2, y + side // 2
    reach = max(middle_x - photo.left, photo.right - middle_x, middle_y - photo.top, photo.bottom - middle_y)
    half = min(reach, round(WIDEST * side / 2), middle_x, middle_y)
    if half <= side * 0.51:
        return None
    area = Area(middle_x - half, middle_y - half, middle_x + half, middle_y + half)
    image = cv2.resize(around.image[area.slices], (side, side), interpolation=cv2.INTER_AREA)
    landmarks = crop.landmarks * np.float32(side / (2 * half))
    others = tuple(other * np.float32(side / (2 * half)) for other in crop.others)
    return Wide(Crop(np.asarray(image, np.uint8), landmarks, others), area)


def scene_of(crop: Crop, square: Layers, look: Callable[[Crop], MatteResult]) -> Scene | None:
    """Return the scene of a photo's crop.

    None if the surroundings of the crop are unknown, or everything in it is the person.

    Args:
        square: the crop's own layers.
        look: runs the matte network on another crop of the photo.
    """
    if crop.around is None or crop.landmarks is None or (square.person == 255).all():
        return None
    wide = wider(crop)
    return build_scene(crop, square, wide, look(wide.crop) if wide else None)


def build_scene(crop: Crop, square: Layers, wide: Wide | None, seen: MatteResult | None) -> Scene:
    """Combine the layers of the square and of the wider one.

    Args:
        square: the crop's own layers.
        seen: of ``wide``; None without one.
    """
    around, landmarks = crop.around, crop.landmarks
    assert around is not None
    assert landmarks is not None
    side, (x, y), photo = len(crop.image), around.corner, around.photo
    alpha, background = _of_photo(crop, square, wide, seen)
    colours = spread_colours(own_colours(around.image[photo.slices], alpha, background), alpha)
    chin = float((landmarks[CHIN, 1] + 1) * (side - 1) / 2)
    middle = float((landmarks[CHIN, 0] + landmarks[FOREHEAD, 0] + 2) * (side - 1) / 4)
    forehead = float((landmarks[FOREHEAD, 1] + 1) * (side - 1) / 2)
    hair, ends = _ends(alpha, photo.top - y, round(middle + x - photo.left), side, forehead)
    whole = np.zeros((*around.image.shape[:2], 4), np.uint8)
    whole[photo.slices] = np.dstack((colours, alpha))
    behind = np.zeros_like(around.image)
    behind[photo.slices] = background
    behind = extended_background(behind, np.ascontiguousarray(whole[..., 3]), photo, side)
    person = extended_person(whole, photo, side, chin + y)
    return Scene(person, behind, around.corner, side, (hair, chin), ends, photo.moved(-x, -y))


def _of_photo(crop: Crop, square: Layers, wide: Wide | None, seen: MatteResult | None) -> tuple[Plane, Image]:
    """Return alpha and background of the whole photo."""
    around, landmarks = crop.around, crop.landmarks
    assert around is not None
    assert landmarks is not None
    photo, side = around.photo, len(square.person)
    alpha, background = np.zeros(photo.shape, np.uint8), around.image[photo.slices].copy()
    if wide is not None and seen is not None:
        assert wide.crop.landmarks is not None
        size = (wide.area.shape[1], wide.area.shape[0])
        person, behind = seen
        if wide.crop.others:
            own = nearest_person(wide.crop.landmarks, wide.crop.others, len(person))
            person, behind = keep_one_person(wide.crop.image, person, behind, own)
        whole = _decided(_resized(whole_person(person, wide.crop.landmarks[:, :2]), size))
        margin = side // 128 + 1
        covered = cv2.dilate(whole, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
        weight = np.asarray(cv2.blur(covered, (margin, margin)), np.uint8)
        (there, of), clean = _common(photo, wide.area), _resized(behind, size)
        alpha[there] = whole[of]
        background[there] = _mixed(clean[of], background[there], weight[of])
        nose = float((landmarks[NOSE_TIP, 1] + 1) * (side - 1) / 2) + around.corner[1] - photo.top
        background = without_stray_hair(background, around.image[photo.slices], alpha, side, nose)
    (there, of), inner = _common(photo, Area(0, 0, side, side).moved(*around.corner)), _inner(side, around)
    alpha[there] = _mixed(square.person[of], alpha[there], inner[of])
    background[there] = _mixed(square.background[of], background[there], inner[of])
    return alpha, background


def _decided(alpha: Plane) -> Plane:
    """Steepen alpha at the outline.

    In a wide square the network is often in doubt, which would show as a half transparent person.
    """
    low, high = (255 * end for end in DOUBT)
    return _bytes(255 * (alpha.astype(np.float32) - low) / (high - low))


def _common(first: Area, second: Area) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the common part of two areas, as an index into each of their arrays."""
    left, right = max(first.left, second.left), min(first.right, second.right)
    top, bottom = max(first.top, second.top), min(first.bottom, second.bottom)
    both = Area(left, top, max(left, right), max(top, bottom))
    return both.moved(-first.left, -first.top).slices, both.moved(-second.left, -second.top).slices


def _mixed(front: Image, back: Image, alpha: Plane) -> Image:
    """Blend: ``front`` where ``alpha`` is 255, ``back`` where it is 0."""
    weight = np.ascontiguousarray(alpha).astype(np.float32) / 255
    blended = cv2.blendLinear(np.ascontiguousarray(front), np.ascontiguousarray(back), weight, 1 - weight)
    return np.asarray(blended, np.uint8)


def _inner(side: int, around: Surroundings) -> Plane:
    """Return (side, side): 255 inside the square, falling towards open sides.

    A side is open where the photo continues beyond it.
    """
    line = (np.arange(side, dtype=np.float32) + 0.5) * SEAM / side
    (x, y), photo = around.corner, around.photo

    def ramp(begins: bool, goes_on: bool) -> Floats:
        rising = line if begins else np.full_like(line, 1)
        falling = line[::-1] if goes_on else np.full_like(line, 1)
        return np.clip(np.minimum(rising, falling), 0, 1)

    across = ramp(photo.left < x, photo.right > x + side)
    down = ramp(photo.top < y, photo.bottom > y + side)
    return _bytes(255 * across[None] * down[:, None])


def _ends(
    alpha: Plane, top: int, middle: int, side: int, forehead: float
) -> tuple[float, tuple[float | None, float | None]]:
    """Return the hair's first row, and the rows where the photo cuts hair and body.

    Rows of the square.

    Args:
        alpha: of the photo, whose first row is ``top``, and whose face is around the column ``middle``.
    """
    near = alpha[:, max(0, middle - side // 4) : middle + side // 4] > HALF
    rows = np.flatnonzero(near.sum(1) > side // 32)
    if not len(rows):
        return forehead, (None, None)
    cut, ends = rows[0] <= side // 100, rows[-1] >= len(near) - 1 - side // 100
    hair = min(forehead, float(top + rows[0]))
    return hair, (float(top) if cut else None, float(top + len(near)) if ends else None)


def spread_colours(colours: Floats, alpha: Plane) -> Image:
    """Continue the person's colours beyond the outline.

    Otherwise the old background would show as a rim before a new one.
    """
    weight = alpha.astype(np.float32) / 255
    sure = (weight > SURE[1]).astype(np.float32)
    near = filled(colours * sure[..., None], sure)
    own = np.clip((weight - SURE[0]) / (SURE[1] - SURE[0]), 0, 1)[..., None]
    return _bytes(near + own * (colours - near))


def _resized(picture: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(picture, size), np.uint8)


def _bytes(values: Floats) -> Image:
    return np.asarray(values.round().clip(0, 255), np.uint8)

"""Separate a photo into the person and a clean plate, once for each photo.

The networks give a matte and fill the person smoothly (``networks.matte``). At 512 x 512 three faults remain
visible as soon as the head moves: strands of hair that stay where they were, a filling that is smoother than
its surroundings, and a rim of the old background around the moved head. They are corrected here without a
network: strands go to the person, the filling gets the wall's texture, the person's colours are freed of the
background.

S is the picture's side; pictures are (S, S, 3) bytes RGB, planes (S, S).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.even_wall import with_even_wall
from avatar_app.compositing.planes import grown, smooth, to_bytes
from avatar_app.landmarks import CHIN, face_height
from avatar_app.types import Image

Plane = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

PERSON = 25
"""Alpha of 255 above which the person hides the background."""

HALF = 127
"""Alpha of 255 up to which a pixel is more background than person."""

GRAIN = 8.0
"""Largest deviation of a texture from its mean, in 255ths. Larger ones belong to things, which are not
repeated.
"""

TEXTURE, LEAVES, BUSY = 24, 80, (0.55, 0.75)
"""Divisors of the side: the extent of a texture, and of its single leaves. If the fraction of pixels that
deviate from the mean over a leaf is below the first value of ``BUSY``, they are things, which are not
repeated; from the second upwards they are a texture, which is.
"""

FAINT = 0.2
"""Alpha of the person below which a pixel's own colour cannot be determined."""


class Layers(NamedTuple):
    """A separated photo: the person's own colours, alpha, and the background behind."""

    colours: Image
    person: Plane
    background: Image


def separate(
    photo: Image, person: Plane, filled: Image, landmarks: Floats, others: Sequence[Floats] = ()
) -> Layers:
    """Separate a photo into person and background.

    Args:
        person: the network's alpha of the person, 0 to 255.
        filled: the photo with the person filled in smoothly.
        landmarks: (P, 2), the photo's landmarks in [-1, 1].
        others: (P, 2 or 3) each, landmarks of other people, who stay in the background.
    """
    own = None
    if others:
        own = nearest_person(landmarks, others, len(photo))
        person, filled = keep_one_person(photo, person, filled, own)
    person = whole_person(person, landmarks)
    if own is not None:
        person = to_bytes(np.asarray(person * own, np.float32))
    if (person > PERSON).all():
        return Layers(photo, person, filled)
    covered = grown(person > PERSON, photo.shape[0] // 64)
    strands = _strands(photo.astype(np.float32), covered)
    if own is not None:
        strands = strands * own
    background = _background(photo.astype(np.float32), covered, strands, filled.astype(np.float32))
    alpha = np.maximum(person, (255 * strands).astype(np.uint8))
    background = with_even_wall(background, alpha, len(photo))
    return Layers(to_bytes(own_colours(photo, alpha, background)), alpha, background)


def nearest_person(landmarks: Floats, others: Sequence[Floats], side: int) -> Floats:
    """Return the part (S, S) of a square picture that is nearest to one person.

    0 to 1 with a soft edge. Distances are to the line from the middle of the head straight down, in face
    heights, so that large people in front get more.
    """
    column, row = np.meshgrid(*2 * [np.linspace(-1, 1, side, dtype=np.float32)])

    def away(points: Floats) -> Floats:
        middle, tall = points[:, :2].mean(0), face_height(points)
        return np.asarray(
            np.hypot(column - middle[0], np.minimum(row - middle[1], 0)) / max(tall, 1e-3), np.float32
        )

    nearest = np.min([away(points) for points in others], 0)
    return np.asarray(smooth((away(landmarks) < nearest).astype(np.float32), side / 128), np.float32)


def keep_one_person(photo: Image, person: Plane, filled: Image, own: Floats) -> tuple[Plane, Image]:
    """Keep one person of a photo and leave the others in the background.

    Returns the network's alpha and its photo without people, both changed accordingly.

    Args:
        own: from `nearest_person`.
    """
    kept = photo + own[..., None] * (filled.astype(np.float32) - photo)
    return to_bytes(np.asarray(person * own, np.float32)), to_bytes(np.asarray(kept, np.float32))


def whole_person(person: Plane, landmarks: Floats) -> Plane:
    """Fill holes of the person's alpha and continue it below the shoulders.

    Dark clothes before a dark sofa are the person's.
    """
    side = len(person)
    whole = person.copy()
    chin = int((landmarks[CHIN, 1] + 1) * ((side - 1) / 2)) if abs(landmarks[CHIN, 1]) < 1 else side
    begun = np.maximum.accumulate((person[chin:] > HALF).astype(np.uint8), axis=0)
    for change in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN) if len(begun) else ():  # narrow ones would be stripes
        begun = cv2.morphologyEx(begun, change, np.ones((1, side // 25 + 1), np.uint8))
    edge = side // 64 + 1  # keep the edge's softness
    whole[chin + edge :][begun[:-edge] > 0] = 255
    outside = np.pad((whole <= HALF).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(outside, None, (0, 0), 2)
    whole[outside[1:-1, 1:-1] == 1] = 255
    return whole


def _strands(photo: Floats, covered: npt.NDArray[np.bool_]) -> Floats:
    """Return the alpha of hair strands, 0 to 1, in pixels close to the person.

    A strand is finer than the wall farther out, and of another colour. The wall is examined along rows, so
    that the edge of a sofa that continues behind the head is not taken for hair.
    """
    side = len(photo)
    reach = side / 12
    distance = cv2.distanceTransform((~covered).astype(np.uint8), cv2.DIST_L2, 5)
    far = (distance > reach).astype(np.float32)
    seen = _along_rows(far)

    def usual(values: Floats) -> Floats:
        return np.sqrt(_along_rows(values * values * far) / np.maximum(seen, 1e-4))

    wall = _along_rows(photo * far[..., None]) / np.maximum(seen, 1e-4)[..., None]
    colour = np.abs(photo - wall).max(2)
    fine = smooth(np.abs(photo - smooth(photo, side / 256)).max(2), side / 170)
    near = np.clip((reach - distance) / (0.4 * reach), 0, 1) * np.clip(8 * seen - 1, 0, 1)
    other_colour = np.clip((colour - 3 * usual(colour) - 6) / 24, 0, 1)
    finer = np.clip((fine - 3 * usual(fine) - 1) / 3, 0, 1)
    return np.asarray(other_colour * finer * near * ~covered, np.float32)


def _background(photo: Floats, covered: npt.NDArray[np.bool_], strands: Floats, filled: Floats) -> Image:
    side = len(photo)
    known = (~covered & ~grown(strands > 0.3, 2)).astype(np.float32)
    around = _known_mean(photo, known, side / 60)
    # Strands are removed; the smooth filling replaces the person, with the grain or the texture of its
    # surroundings.
    wiped = photo + np.clip(2 * smooth(strands, 1.5), 0, 1)[..., None] * (around - photo)
    texture, busy = _texture(photo, known)
    fine = _grain(photo, known) * (1 - busy[..., None]) + texture * busy[..., None]
    repeated = _repeated(np.dstack([fine, busy]), known)
    there = smooth(repeated[..., 3], side / 40)[..., None]
    filled = filled + there * (smooth(filled, side / TEXTURE) - filled)
    inside = smooth(np.where(covered[..., None], filled, wiped), side / 200) + repeated[..., :3]
    soft = smooth(grown(covered, 1).astype(np.float32), 1.0)[..., None]
    soft = np.where(covered[..., None], 1.0, soft)
    return to_bytes(wiped + soft * (inside - wiped))


def _texture(photo: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Separate fine texture, such as leaves or waves, from its surroundings.

    Returns the texture (S, S, 3) and the certainty that it continues everywhere here (S, S).
    """
    side = len(photo)
    detail = photo - _known_mean(photo, known, side / TEXTURE)
    fine = np.abs(photo - _known_mean(photo, known, side / LEAVES)).max(2) > GRAIN
    differs = smooth(fine * known, side / 8) / np.maximum(smooth(known, side / 8), 1e-4)
    busy = np.clip((differs - BUSY[0]) / (BUSY[1] - BUSY[0]), 0, 1)
    return np.asarray(detail, np.float32), np.asarray(busy, np.float32)


def _grain(photo: Floats, known: Floats) -> Floats:
    """Return the fine texture of the known part, without the edges of things."""
    fine, coarse = (_known_mean(photo, known, len(photo) / part) for part in (170, 64))
    edge = np.abs(fine - coarse).max(2, keepdims=True)
    return np.asarray(np.clip(photo - fine, -GRAIN, GRAIN) * np.clip(1.5 - edge / 4, 0, 1), np.float32)


def _repeated(grain: Floats, known: Floats) -> Floats:
    """Mirror ``grain`` (S, S, C) into the gap.

    From the nearest end of the gap in the same row, or from above; 0 where that is not background.
    """
    side = len(grain)
    gap = side // 64
    hole = smooth(1 - known, side / 80) > 0.1
    column, row = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    index = np.arange(side)
    left = np.maximum.accumulate(np.where(hole, -4 * side, index[None]), 1)
    right = np.minimum.accumulate(np.where(hole, 4 * side, index[None])[:, ::-1], 1)[:, ::-1]
    above = np.maximum.accumulate(np.where(hole, -4 * side, index[:, None]), 0)
    from_left, from_right, from_above = column - left, right - column, row - above
    nearest = np.argmin(np.stack([from_left, from_right, from_above]), 0)
    x = np.choose(nearest, [2 * left - column - gap, 2 * right - column + gap, column]).astype(np.float32)
    y = np.choose(nearest, [row, row, 2 * above - row - gap]).astype(np.float32)
    found = cv2.remap(grain * known[..., None], x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(found * hole[..., None], np.float32)


def own_colours(photo: Image, person: Plane, background: Image) -> Floats:
    """Return the person's colours that, mixed with the background, give the photo.

    They are free of the old background in half covered pixels. Hardly covered pixels keep their colour,
    because the smallest error of the background would dominate.
    """
    alpha = (person / np.float32(255))[..., None]
    behind = background.astype(np.float32)
    return np.asarray((behind + (photo - behind) / np.maximum(alpha, FAINT)).clip(0, 255), np.float32)


def _along_rows(values: Floats) -> Floats:
    """Return means over an eighth of the width and a small height, on a reduced copy."""
    side = len(values)
    few = cv2.resize(values, (side // 8, side // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(smooth(few, side / 64, side / 160), (side, side)), np.float32)


def _known_mean(picture: Floats, known: Floats, radius: float) -> Floats:
    total = smooth(picture * known[..., None], radius)
    return np.asarray(total / np.maximum(smooth(known, radius), 1e-4)[..., None], np.float32)

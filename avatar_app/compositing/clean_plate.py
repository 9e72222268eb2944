"""Separate a photo into the person and a clean plate, once for each photo.

The networks give a matte and fill the person smoothly (``networks.matte``). At 512 x 512 four faults remain
visible as soon as the head moves: hair that stays where it was, a filling that is smoother than its
surroundings, and around the head a rim of the old background and its colours. They are corrected here
without a network: hair goes to the person, the filling gets the wall's texture, alpha and colours of the
person are freed of the background.

S is the picture's side; pictures are (S, S, 3) bytes RGB, planes (S, S).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.hair import THIN, alpha_by_colours, stray_hair
from avatar_app.compositing.planes import grown, highest, smooth, to_bytes
from avatar_app.landmarks import CHIN, NOSE_TIP, face_height
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

INWARDS = 0.03, 0.1
"""Depths behind the outline, in sides, between which the wall beside it becomes the network's filling."""

MEDIANS = 4
"""Number of medians by which the wall beside the person is freed of hairs; one leaves spots of dense hair."""

FAINT = 0.2
"""Alpha of the person below which a pixel's own colour cannot be determined."""


class Layers(NamedTuple):
    """A separated photo: the person's own colours, alpha, and the background behind."""

    colours: Image
    person: Plane
    background: Image


def separate(
    photo: Image, person: Plane, filling: Image, landmarks: Floats, others: Sequence[Floats] = ()
) -> Layers:
    """Separate a photo into person and background.

    Args:
        person: the network's alpha of the person, 0 to 255.
        filling: the photo with the person filled in smoothly.
        landmarks: (P, 2), the photo's landmarks in [-1, 1].
        others: (P, 2 or 3) each, landmarks of other people, who stay in the background.
    """
    own = None
    if others:
        own = nearest_person(landmarks, others, len(photo))
        person, filling = keep_one_person(photo, person, filling, own)
    person = whole_person(person, landmarks)
    if own is not None:
        person = to_bytes(np.asarray(person * own, np.float32))
    if (person > PERSON).all():
        return Layers(photo, person, filling)
    side = len(photo)
    covered = grown(person > PERSON, side // 64)
    nose = float((landmarks[NOSE_TIP, 1] + 1) * ((side - 1) / 2))
    hair = stray_hair(photo, person, covered, side, nose)
    if own is not None:
        hair &= own > 0.5
    background = _background(photo.astype(np.float32), covered, hair, filling.astype(np.float32))
    alpha = alpha_by_colours(photo, person, hair, background)
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


def keep_one_person(photo: Image, person: Plane, filling: Image, own: Floats) -> tuple[Plane, Image]:
    """Keep one person of a photo and leave the others in the background.

    Returns the network's alpha and its photo without people, both changed accordingly.

    Args:
        own: from `nearest_person`.
    """
    kept = photo + own[..., None] * (filling.astype(np.float32) - photo)
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


def _background(
    photo: Floats, covered: npt.NDArray[np.bool_], hair: npt.NDArray[np.bool_], filling: Floats
) -> Image:
    side = len(photo)
    known = (~covered & ~grown(hair, side // 128 + 1)).astype(np.float32)
    # Hair and the outline are replaced by the wall beside them; farther in the network's filling replaces
    # the person, with the grain or the texture of its surroundings.
    wall, away = _wall_beside(photo, known, side)
    inside = np.clip((away / side - INWARDS[0]) / (INWARDS[1] - INWARDS[0]), 0, 1) * covered
    behind = wall + inside[..., None] * (filling - wall)
    texture, busy = _texture(photo, known)
    fine = _grain(photo, known) * (1 - busy[..., None]) + texture * busy[..., None]
    repeated = _repeated(np.dstack([fine, busy]), known)
    there = smooth(repeated[..., 3], side / 40)[..., None]
    behind = smooth(behind + there * (smooth(behind, side / TEXTURE) - behind), side / 200)
    unknown = np.maximum(smooth(1 - known, 1.0), covered)[..., None]
    return to_bytes(photo + unknown * (behind + repeated[..., :3] - photo))


def without_stray_hair(background: Image, photo: Image, person: Plane, side: int, nose: float) -> Image:
    """Remove the hair beside a person from the background (h, w, 3).

    Args:
        photo: (h, w, 3), which shows the hair.
        person: (h, w), alpha 0 to 255.
        side: of the square crop, the unit of all lengths.
        nose: row of its tip.
    """
    covered = grown(person > PERSON, side // 64)
    hair = grown(stray_hair(photo, person, covered, side, nose), side // 128 + 1) & ~covered
    if not hair.any():
        return background
    wall, _ = _wall_beside(photo.astype(np.float32), (~covered & ~hair).astype(np.float32), side)
    weight = smooth(hair.astype(np.float32), 1.0)[..., None]
    return to_bytes(background + weight * (wall - background))


def _wall_beside(photo: Floats, known: Floats, side: int) -> tuple[Floats, Floats]:
    """Return each pixel's nearest known colour, and its distance.

    Medians keep the edges of things sharp and leave thin hairs out; deeper in, a blur hides the rays that go
    out from single pixels. Half the rows and columns are enough for that.
    """
    height, width = known.shape
    half = (-(-width // 2), -(-height // 2))
    wall = cv2.resize(to_bytes(photo), half, interpolation=cv2.INTER_AREA)
    there = cv2.resize(known, half, interpolation=cv2.INTER_AREA) > 0.999  # means of 1 are not exact
    _, labels = cv2.distanceTransformWithLabels(
        (~there).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    for _ in range(MEDIANS):
        table[labels[there]] = wall[there]
        wall = np.asarray(cv2.medianBlur(table[labels], side // (2 * THIN) | 1), np.uint8)
    beside = cv2.resize(wall, (width, height)).astype(np.float32)
    away = np.asarray(cv2.distanceTransform((known == 0).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    deep = np.clip(away / (INWARDS[0] * side), 0, 1)[..., None]
    return np.asarray(beside + deep * (smooth(beside, side / 60) - beside), np.float32), away


def _texture(photo: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Separate fine texture, such as leaves or waves, from its surroundings.

    Returns the texture (S, S, 3) and the certainty that it continues everywhere here (S, S).
    """
    side = len(photo)
    detail = photo - _known_mean(photo, known, side / TEXTURE)
    fine = highest(np.abs(photo - _known_mean(photo, known, side / LEAVES))) > GRAIN
    differs = smooth(fine * known, side / 8) / np.maximum(smooth(known, side / 8), 1e-4)
    busy = np.clip((differs - BUSY[0]) / (BUSY[1] - BUSY[0]), 0, 1)
    return np.asarray(detail, np.float32), np.asarray(busy, np.float32)


def _grain(photo: Floats, known: Floats) -> Floats:
    """Return the fine texture of the known part, without the edges of things."""
    fine, coarse = (_known_mean(photo, known, len(photo) / part) for part in (170, 64))
    edge = highest(np.abs(fine - coarse))[..., None]
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


def _known_mean(picture: Floats, known: Floats, radius: float) -> Floats:
    total = smooth(picture * known[..., None], radius)
    return np.asarray(total / np.maximum(smooth(known, radius), 1e-4)[..., None], np.float32)

"""Find faults in a photo that will show in its avatar. numpy and OpenCV only.

For instance shut eyes, a covered mouth, or a face from the side.
"""

from __future__ import annotations

import cv2
import numpy as np

from avatar_app.faces.crop import crop_landmarks, crop_picture, square_box
from avatar_app.landmarks import (
    EYE_CORNERS,
    JAW,
    LEFT_BROW_MIDDLE,
    LEFT_BROW_OUTER,
    LEFT_EAR,
    LEFT_EYE,
    LEFT_EYE_OUTER,
    LID_PAIRS,
    NOSTRILS,
    OUTER_LIPS,
    RIGHT_BROW_MIDDLE,
    RIGHT_BROW_OUTER,
    RIGHT_EAR,
    RIGHT_EYE,
    RIGHT_EYE_OUTER,
    face_height,
)
from avatar_app.text import Text
from avatar_app.types import Array, Face, Image

FACE_OUTLINE = [
    *range(JAW.stop),
    *(LEFT_BROW_OUTER, LEFT_BROW_MIDDLE, RIGHT_BROW_MIDDLE, RIGHT_BROW_OUTER),
]
"""Outline along jaw and brows."""

UPPER_FACE = [*EYE_CORNERS.ravel(), NOSTRILS.stop - 1, NOSTRILS.start]
"""From eye to eye and down to the nostrils: the part that a mask leaves free."""

SMALL = 75
"""Height of a face in pixels, forehead to chin, below which its picture is soft."""

SIDE = 256
"""Side of the crop in which light, sharpness and colours are measured, in pixels."""

SHUT = 0.11
"""Gap between the lids in eye widths below which an eye is shut."""

ASIDE = 30.0
"""Degrees to either side from which half of the face is hidden."""

DARK = 35.0
"""Mean brightness of the face, 0..255."""

BLURRED = 4.0
"""Mean strength of edges of 1 to 2 pixels in the face, in percent of its contrast. Sharp photos have 6
to 20.
"""

FLAT = 4.0
"""Standard deviation of brightness, 0..255, below which sharpness cannot be measured."""

PALE_LIPS = 0.3
"""Redness at the mouth over that of the upper face. Lips have 0.6 to 2, masks at most 0 unless
skin-coloured.
"""

COLOURLESS = 5.0
"""CIELAB a* of an upper face below which a picture is grey."""


def photo_notes(photo: Image, face: Face, name: str) -> list[Text]:
    """Describe the faults of a photo's face, one sentence each, worst first.

    Args:
        name: of the photo.
    """
    says = {
        "covered": Text("Something covers the mouth in {}; the avatar's mouth will not look right.", name),
        "shut": Text("The eyes in {} are shut; the avatar cannot open them well.", name),
        "aside": Text("The face in {} is seen from the side; one from the front moves better.", name),
        "cut": Text("The edge of {} cuts off a part of the face.", name),
        "small": Text(
            "The face in {} is only {:.0f} pixels high; the picture will be soft.",
            name,
            face_height(face.points),
        ),
        "dark": Text("The face in {} is very dark.", name),
        "blurred": Text("The face in {} is blurred; the picture will be soft.", name),
    }
    return [says[fault] for fault in photo_faults(photo, face)]


def photo_faults(photo: Image, face: Face) -> list[str]:
    """Name the faults of a face in a photo (H, W, 3), worst first.

    `photo_notes` has a sentence for each name.
    """
    box = square_box(face)
    crop, points = crop_picture(photo, box, SIDE), crop_landmarks(face, box, SIDE)
    light = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)
    inside = _polygon(points[FACE_OUTLINE])
    faults = {
        "covered": mouth_redness(crop, points) < PALE_LIPS,
        "shut": eye_opening(face.points) < SHUT,
        "aside": abs(yaw(face.points)) > ASIDE,
        "cut": _cut(face.points, photo.shape[1], photo.shape[0]),
        "small": face_height(face.points) < SMALL,
        "dark": float(light[inside > 0].mean()) < DARK,
        "blurred": sharpness(light, inside) < BLURRED,
    }
    if faults["small"]:
        faults["blurred"] = False  # one reason is enough
    return [name for name, found in faults.items() if found]


def eye_opening(points: Array) -> float:
    """Return the lid gap of the more open eye, in eye widths."""
    gaps = np.linalg.norm(points[LID_PAIRS[:, 0], :2] - points[LID_PAIRS[:, 1], :2], axis=1)
    corners = EYE_CORNERS[[0, 0, 1, 1]]
    widths = np.linalg.norm(points[corners[:, 0], :2] - points[corners[:, 1], :2], axis=1)
    each = gaps / np.maximum(widths, 1e-6)
    return float(max(each[:2].mean(), each[2:].mean()))


def yaw(points: Array) -> float:
    """Return the degrees by which a face looks to the side.

    Measured by the depth of its two sides.
    """
    x, y, z = (points[LEFT_EAR] - points[RIGHT_EAR]) + (points[LEFT_EYE_OUTER] - points[RIGHT_EYE_OUTER])
    return float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def sharpness(light: Image, inside: Image) -> float:
    """Measure edges of 1 to 2 pixels in a grey picture, in percent of its contrast.

    Where ``inside`` is not 0; 100 without contrast.
    """
    values = light.astype(np.float32)
    fine = np.abs(values - cv2.GaussianBlur(values, (0, 0), 1.2))[inside > 0]
    contrast = float(values[inside > 0].std())
    return 100 * float(fine.mean()) / contrast if contrast > FLAT else 100.0


def mouth_redness(crop: Image, points: Array) -> float:
    """Return the ratio of the mouth's redness (CIELAB a*) to the upper face's.

    1 in a picture without colours.
    """
    redness = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32) - 128
    mouth, upper = _polygon(points[OUTER_LIPS]), _polygon(points[UPPER_FACE])
    upper[_polygon(points[RIGHT_EYE]) + _polygon(points[LEFT_EYE]) > 0] = 0
    if not mouth.any() or not upper.any():
        return 1.0
    face = float(np.median(redness[upper > 0]))
    return float(np.median(redness[mouth > 0])) / face if face > COLOURLESS else 1.0


def _polygon(points: Array) -> Image:
    """Return a mask of an outline of landmarks in [-1, 1] of the crop: 1 inside."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    corners = ((points[:, :2] + 1) * ((SIDE - 1) / 2)).round().astype(np.int32)
    cv2.fillPoly(mask, [corners], 1)
    return mask


def _cut(points: Array, width: int, height: int) -> bool:
    """Whether more than a few landmarks lie outside the photo."""
    outside = (points[:, :2] < -1).any(1) | (points[:, 0] > width) | (points[:, 1] > height)
    return int(outside.sum()) > 3

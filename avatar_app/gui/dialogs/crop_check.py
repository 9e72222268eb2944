"""Find faults in a crop, in words for people."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from avatar_app.faces.photo_check import photo_faults
from avatar_app.landmarks import face_height
from avatar_app.types import Array, Box, Face, Image

SMALL = 100
"""Height of a face in pixels below which the avatar is blurred."""
SHARES = (0.33, 0.68)
"""Range of the face's height over the side of the square that the networks can handle; 0.5 is best."""


def nearest(faces: list[Face], box: Box) -> Face | None:
    """Return the face nearest to the middle of the square."""
    return min(
        faces,
        key=lambda face: float(np.linalg.norm(_middle(face) - (box.center_x, box.center_y))),
        default=None,
    )


TEXTS = {
    "none": QT_TRANSLATE_NOOP(
        "CropCheck", "No face was found. Move the square so that the face fills half of its height."
    ),
    "elsewhere": QT_TRANSLATE_NOOP("CropCheck", "There is no face in the square."),
    "cut": QT_TRANSLATE_NOOP("CropCheck", "The square cuts off a part of the face."),
    "cut by photo": QT_TRANSLATE_NOOP(
        "CropCheck", "The photo cuts off a part of the face. Use another one if you can."
    ),
    "few pixels": QT_TRANSLATE_NOOP(
        "CropCheck",
        "The face is only {pixels} pixels high, so the avatar will be blurred. Use a larger photo if you "
        "can.",
    ),
    "small": QT_TRANSLATE_NOOP("CropCheck", "The face is small in the square. Make the square smaller."),
    "large": QT_TRANSLATE_NOOP(
        "CropCheck", "The face fills the square. Make it larger: hair and shoulders need room."
    ),
    "several": QT_TRANSLATE_NOOP(
        "CropCheck", "There is more than one face in the square. The avatar will be the largest."
    ),
    "covered": QT_TRANSLATE_NOOP(
        "CropCheck", "Something covers the mouth; the avatar's mouth will not look right."
    ),
    "shut": QT_TRANSLATE_NOOP("CropCheck", "The eyes are shut; the avatar cannot open them well."),
    "aside": QT_TRANSLATE_NOOP(
        "CropCheck", "The face is seen from the side; one from the front moves better."
    ),
    "dark": QT_TRANSLATE_NOOP("CropCheck", "The face is very dark."),
    "blurred": QT_TRANSLATE_NOOP("CropCheck", "The face is blurred, and so the avatar will be."),
}


def crop_warning(faces: list[Face], box: Box, image: Image) -> str:
    """Return the worst fault of a crop, or of the face in it, in the user's language.

    Empty when it is good.
    """
    fault, face = crop_fault(faces, box, image), nearest(faces, box)
    if not fault and face is not None:
        fault = next((name for name in photo_faults(image, face) if name in TEXTS), "")
    if not fault:
        return ""
    text = QCoreApplication.translate("CropCheck", str(TEXTS[fault]))
    return text.replace("{pixels}", str(round(face_height(face.points))) if face else "")


def crop_fault(faces: list[Face], box: Box, image: Image) -> str:
    """Return a key of ``TEXTS``; empty when the crop is good."""
    face = nearest(faces, box)
    if face is None:
        return "none"
    away = np.abs(face.points[:, :2] - np.array([box.center_x, box.center_y], np.float32)).max(1)
    outside = float(np.mean(away > box.size / 2))
    height = face_height(face.points)
    faults = {
        "elsewhere": outside > 0.5,
        "cut": outside > 0,
        "cut by photo": _beyond(face.points[:, :2], image.shape[1], image.shape[0]),
        "few pixels": height < SMALL,
        "small": height < SHARES[0] * box.size,
        "large": height > SHARES[1] * box.size,
        "several": sum(_inside(other, box) for other in faces) > 1,
    }
    return next((fault for fault, found in faults.items() if found), "")


def _middle(face: Face) -> Array:
    return np.asarray(face.points[:, :2].mean(0), np.float32)


def _inside(face: Face, box: Box) -> bool:
    return bool(np.abs(_middle(face) - (box.center_x, box.center_y)).max() < box.size / 2)


def _beyond(points: Array, width: int, height: int) -> bool:
    """Whether more than a few landmarks lie outside the photo."""
    outside = (points < -1).any(1) | (points[:, 0] > width) | (points[:, 1] > height)
    return int(outside.sum()) > 3

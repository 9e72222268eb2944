"""A photo with its face found: the same for a call and for a clip."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from avatar_app.errors import PortraitError
from avatar_app.faces.crop import Region, cut
from avatar_app.faces.detector import FaceDetector, crop_face, photo_box, square_box
from avatar_app.types import Area, Box, Crop, Face, Image, Surroundings

SMALL_FACE = 100
"""A portrait crop of fewer pixels a side gives a soft picture."""

BESIDE, ABOVE = 0.75, 0.6
"""How much of a photo beside, and above and below, the square is looked at, in sides of the square."""

FARTHEST = 3.0
"""The same of a photo of which all is wanted."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo and the face in it that was chosen.

    Attributes:
        box: the square of the photo that is used.
        faces: how many there are.
        path: None for a photo that is in memory alone.
    """

    photo: Image
    face: Face
    box: Box
    faces: int
    path: Path | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should know, one sentence each."""
        name, notes = _name(self.path), []
        if self.faces > 1:
            notes.append(f"There are {self.faces} faces in {name}; one of them was taken.")
        if self.box.size < SMALL_FACE:
            notes.append(
                f"The face in {name} is small (its crop is {self.box.size:.0f} pixels a side); the picture will be soft."
            )
        return notes

    def crop(self, size: int, whole: bool = False) -> Crop:
        """The face as an engine with pictures of ``size`` takes it; ``whole``: with all of the photo around it."""
        around = surroundings(self.photo, self.box, size, FARTHEST if whole else 0.0)
        return replace(crop_face(self.photo, self.face, self.box, size), around=around)


def surroundings(photo: Image, box: Box, size: int, most: float = 0.0) -> Surroundings:
    """The photo around a box whose crop has ``size`` pixels a side.

    Args:
        most: sides of the square up to which more of a large photo is taken.
    """
    (height, width), half = photo.shape[:2], box.size / 2
    needed_x = max(box.center_x - half, width - box.center_x - half) / box.size
    needed_y = max(box.center_y - half, height - box.center_y - half) / box.size
    beside, above = (
        round(max(least, min(most, needed)) * size / 2) * 2
        for least, needed in ((BESIDE, needed_x), (ABOVE, needed_y))
    )
    whole = size + 2 * max(beside, above)
    region = Region(box.center_x, box.center_y, box.size * whole / size, 0.0)
    image = cut(photo, region, whole, cv2.BORDER_REPLICATE)
    spare = (max(0, above - beside), max(0, beside - above))
    image = np.ascontiguousarray(image[spare[1] : whole - spare[1], spare[0] : whole - spare[0]])
    scale = size / box.size
    left, top = (
        beside - (box.center_x - box.size / 2 + 0.5) * scale,
        above - (box.center_y - box.size / 2 + 0.5) * scale,
    )
    edges = [
        math.ceil(left),
        math.ceil(top),
        math.floor(left + width * scale),
        math.floor(top + height * scale),
    ]
    limits = (image.shape[1], image.shape[0]) * 2
    inside = [min(limit, max(0, edge)) for edge, limit in zip(edges, limits, strict=True)]
    return Surroundings(image, (beside, above), Area(*inside))


def find_portrait(
    photo: Image, detector: FaceDetector, box: Box | None = None, path: Path | None = None
) -> Portrait:
    """Find the face: the one nearest to the middle of ``box``, else the largest. Raises PortraitError where there is none."""
    faces = detector.find(photo)
    if not faces:
        raise PortraitError(
            f"No face was found in {_name(path)}.",
            "Use a photo of one face, seen from the front and well lit.",
        )
    if box is None:
        face = max(faces, key=lambda face: square_box(face).size)
        return Portrait(photo, face, photo_box(face, photo), len(faces), path)
    wanted = box

    def distance(face: Face) -> float:
        own = square_box(face)
        return float(np.hypot(own.center_x - wanted.center_x, own.center_y - wanted.center_y))

    return Portrait(photo, min(faces, key=distance), box, len(faces), path)


def _name(path: Path | None) -> str:
    return path.name if path else "the photo"

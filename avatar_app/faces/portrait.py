"""A photo with its face found: the same for a call and for a clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar_app.errors import PortraitError
from avatar_app.faces.detector import FaceDetector, crop_face, photo_box, square_box
from avatar_app.types import Box, Crop, Face, Image

SMALL_FACE = 100
"""A portrait crop of fewer pixels a side gives a soft picture."""


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

    def crop(self, size: int) -> Crop:
        return crop_face(self.photo, self.face, self.box, size)


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

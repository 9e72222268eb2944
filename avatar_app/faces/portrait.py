"""Find the face to animate in a photo, for calls and clips."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from avatar_app.errors import PortraitError
from avatar_app.faces.crop import Region, crop_landmarks, cut
from avatar_app.faces.detector import FaceDetector, crop_face, photo_box, square_box
from avatar_app.faces.photo_check import photo_notes
from avatar_app.media.photo import turned
from avatar_app.text import Text
from avatar_app.types import Area, Box, Crop, Face, Image, Surroundings


@dataclass(frozen=True, slots=True)
class PhotoChoice:
    """The user's choice in a photo.

    Attributes:
        box: the square of the turned photo that is used; None: fitted to the face.
        turn: clockwise quarter turns that bring the photo upright; None: found by trying the four.
        face: number of the face, counted from the left, from 1; 0: the one nearest to the middle of ``box``,
            else the largest.
    """

    box: Box | None = None
    turn: int | None = None
    face: int = 0


BESIDE, ABOVE = 0.75, 0.6
"""Width of the surroundings that are kept beside, and above and below the square, in sides of the square."""

FARTHEST = 3.0
"""The same for a photo that is shown whole."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """An upright photo and the chosen face in it.

    Attributes:
        box: the square of the photo that is used.
        others: the other faces, which stay as they are.
        turn: clockwise quarter turns by which the photo was turned.
        path: None for a photo in memory.
    """

    photo: Image
    face: Face
    box: Box
    others: tuple[Face, ...] = ()
    turn: int = 0
    path: Path | None = None

    @property
    def notes(self) -> list[Text]:
        """Return warnings for the user, one sentence each."""
        name = _name(self.path)
        notes = photo_notes(self.photo, self.face, name)
        if self.others:
            place = 1 + sum(_middle(other) < _middle(self.face) for other in self.others)
            notes.append(
                Text(
                    "There are {} faces in {}; number {} from the left moves.",
                    1 + len(self.others),
                    name,
                    place,
                )
            )
        if self.turn:
            notes.append(
                Text("{} lay on its side or upside down; it was turned.", name)
                if self.path
                else Text("The photo lay on its side or upside down; it was turned.")
            )
        return notes

    def crop(self, size: int, whole: bool = False) -> Crop:
        """Return the face's crop for an engine with pictures of ``size``.

        Args:
            whole: keep the whole photo around it.
        """
        around = surroundings(self.photo, self.box, size, FARTHEST if whole else 0.0)
        others = tuple(crop_landmarks(other, self.box, size) for other in self.others)
        return replace(crop_face(self.photo, self.face, self.box, size), others=others, around=around)


def surroundings(photo: Image, box: Box, size: int, most: float = 0.0) -> Surroundings:
    """Return the photo around a box whose crop has ``size`` pixels a side.

    Args:
        most: largest extent, in sides of the square.
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
    photo: Image, detector: FaceDetector, choice: PhotoChoice | None = None, path: Path | None = None
) -> Portrait:
    """Turn a photo upright and find the face to animate.

    Raises:
        PortraitError: there is no face, or fewer than ``choice`` asks for.
    """
    choice = choice or PhotoChoice()
    if choice.turn is None and choice.box is None:
        turn, faces = detector.find_upright(photo)
    else:
        turn = choice.turn or 0
        faces = detector.find(turned(photo, turn))
    if not faces:
        raise PortraitError(
            Text("No face was found in {}.", _name(path)),
            Text("Use a photo of one face, seen from the front and well lit."),
        )
    photo, face = turned(photo, turn), _chosen(faces, choice, path)
    others = tuple(other for other in faces if other is not face)
    return Portrait(photo, face, choice.box or photo_box(face, photo), others, turn, path)


def _chosen(faces: list[Face], choice: PhotoChoice, path: Path | None) -> Face:
    if choice.face:
        if choice.face > len(faces):
            one = Text("There is 1 face in {}, so there is no face {}.", _name(path), choice.face)
            more = Text(
                "There are {} faces in {}, so there is no face {}.", len(faces), _name(path), choice.face
            )
            raise PortraitError(one if len(faces) == 1 else more, Text("Count them from the left, from 1."))
        return sorted(faces, key=_middle)[choice.face - 1]
    box = choice.box
    if box is None:
        return max(faces, key=lambda face: square_box(face).size)
    middle = np.array([box.center_x, box.center_y])
    return min(faces, key=lambda face: float(np.linalg.norm(_center(face) - middle)))


def _center(face: Face) -> np.ndarray:
    own = square_box(face)
    return np.array([own.center_x, own.center_y])


def _middle(face: Face) -> float:
    return square_box(face).center_x


def _name(path: Path | None) -> str:
    return path.name if path else Text("the photo")

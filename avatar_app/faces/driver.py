"""Reads the driver's face off camera frames.

Where it is, the square around it, its landmarks there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_app.faces.choice import FaceChoice
from avatar_app.faces.crop import crop_landmarks
from avatar_app.faces.detector import BoxSmoother, FaceDetector, crop_face, square_box
from avatar_app.types import Box, Crop, Face, Frame

NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen in one frame.

    Attributes:
        face: in pixels of the frame.
        box: the square that the crop shows.
        crop: the face as the engine takes it.
        another: another face is followed than in the look before.
    """

    face: Face
    box: Box
    crop: Crop
    another: bool = False


class Driver:
    """Follows the driver's face. Belongs to one thread.

    Attributes:
        faces: all faces that are seen, and which of them is followed.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self.faces = FaceChoice(detector)
        self._changes = 0
        self._smoother = BoxSmoother()
        self._box: Box | None = None
        self._time = 0.0
        self._shape: tuple[int, ...] = ()

    def look(self, frame: Frame, follow: bool, size: int, pictured: bool) -> Look | None:
        """The face in a frame, cropped to ``size``, its picture only if ``pictured``.

        None without one, or with a poster.

        Args:
            follow: the square follows the face; else it stays where it was first placed.
        """
        if (
            frame.image.shape != self._shape
        ):  # another camera, or another size of the same: positions of before mean nothing in it
            self._shape = frame.image.shape
            self.faces.reset()
            self.center()
        face = self.faces.track(frame.image, frame.captured_at)
        if face is None or self.faces.picture:
            return None
        another, self._changes = self.faces.changes != self._changes, self.faces.changes
        if another:
            self.center()
        if follow or self._box is None:
            gap = min(1.0, max(0.0, frame.captured_at - self._time))
            self._box = self._smoother.follow(square_box(face), gap)
        self._time = frame.captured_at
        box = self._box
        crop = (
            crop_face(frame.image, face, box, size)
            if pictured
            else Crop(NO_PICTURE, crop_landmarks(face, box, size), expression=face.expression)
        )
        return Look(face, box, crop, another)

    def center(self) -> None:
        """Place the square again around the next face.

        Before a calibration, or after another camera was chosen.
        """
        self._smoother.reset()
        self._box = None

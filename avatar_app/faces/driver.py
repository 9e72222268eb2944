"""Read the driver's face from camera frames: position, crop and landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_app.faces.choice import FaceChoice
from avatar_app.faces.crop import crop_landmarks
from avatar_app.faces.detector import BoxSmoother, FaceDetector, crop_face, square_box
from avatar_app.types import Box, Crop, Face, Frame

NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Detection:
    """Result of one frame.

    Attributes:
        face: in pixels of the frame.
        box: the square that the crop shows.
        crop: the face as the engine takes it.
        another: another face is followed than in the frame before.
    """

    face: Face
    box: Box
    crop: Crop
    another: bool = False


class Driver:
    """Follows the driver's face. Belongs to one thread.

    Attributes:
        faces: all faces, and which of them is followed.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self.detector = detector
        self.faces = FaceChoice(detector)
        self._changes = 0
        self._smoother = BoxSmoother()
        self._box: Box | None = None
        self._time = 0.0
        self._shape: tuple[int, ...] = ()

    def look(self, frame: Frame, follow: bool, size: int, pictured: bool) -> Detection | None:
        """Return the face in the frame, cropped to ``size``; None without a living face.

        Args:
            follow: the square follows the face; else it stays at its first position.
            pictured: cut the crop's picture too.
        """
        if (
            frame.image.shape != self._shape
        ):  # another camera, or another size: earlier positions are meaningless
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
        return Detection(face, box, crop, another)

    def center(self) -> None:
        """Place the square around the next face.

        Before a calibration, or after another camera was chosen.
        """
        self._smoother.reset()
        self._box = None

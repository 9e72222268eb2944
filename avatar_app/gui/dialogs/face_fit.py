"""The face networks for the window: opened when first needed, one call at a time."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from avatar_app.errors import AvatarError
from avatar_app.faces.crop import photo_box
from avatar_app.media.photo import turned
from avatar_app.types import Box, Face, Image

if TYPE_CHECKING:
    from avatar_app.faces.detector import FaceDetector

log = logging.getLogger(__name__)


class FaceFit:
    """Finds faces in photos.

    Slow: call it from a background thread. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detector: FaceDetector | None = None

    def faces(self, image: Image) -> list[Face]:
        """Return all faces, largest first.

        Raises AvatarError if the networks cannot be opened.
        """
        with self._lock:
            return self._opened().find(image)

    def upright(self, image: Image) -> tuple[int, list[Face]]:
        """Return the quarter turns that bring a photo upright, and the faces found then.

        Clockwise, as `FaceDetector.find_upright`.
        """
        with self._lock:
            return self._opened().find_upright(image)

    def face(self, image: Image) -> tuple[int, Box] | None:
        """Return the rotation, and the square around the largest face.

        None if there is none or the networks cannot be opened.
        """
        try:
            turn, faces = self.upright(image)
        except AvatarError as error:
            log.warning("%s", error)
            return None
        return (turn, photo_box(faces[0], turned(image, turn))) if faces else None

    def _opened(self) -> FaceDetector:
        if self._detector is None:
            from avatar_app.faces.detector import (
                FaceDetector,  # with ONNX Runtime, which the first paint must not wait for
            )

            self._detector = FaceDetector.open()
        return self._detector

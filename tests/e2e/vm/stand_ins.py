"""An engine that numbers its pictures and a detector that sees a face everywhere.

Real networks are a hundred times too slow in the machine.
"""

from __future__ import annotations

import numpy as np

from avatar_app.faces.crop import Region
from avatar_app.faces.detector import FaceDetector, Located
from avatar_app.types import Avatar, Face, Image, KeyPoints
from tests.session.stand_ins import DrawingEngine
from tests.support.heads import make_head
from tests.support.mjpeg import mark

BLUE = (20, 60, 160)
"""Colour of the avatar."""


class SteadyDetector(FaceDetector):
    """A face in the middle of every picture. Its mouth opens and closes, because a still one counts as a
    picture.
    """

    def __init__(self) -> None:
        super().__init__(None, None)
        self._looks = 0

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        height, width = image.shape[:2]
        self._looks += 1
        points = make_head(mouth=0.3 * (self._looks // 3 % 2)) * min(height, width) / 2 + [
            width / 2,
            height / 2,
            0,
        ]
        return [Face(points.astype(np.float32), 1.0)]

    def located(self, image: Image, region: Region) -> Located:
        return Located(self.find(image)[0])


class NumberingEngine(DrawingEngine):
    """Every picture is blue and carries the next number, as ``mjpeg.mark`` writes it.

    The lowest bit stays 0, because the outermost block of the picture fades into the background. So
    numbers are even, and begin with 2.
    """

    size = 128
    name = "numbering"

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        self.poses.append(pose)
        return mark(np.full((self.size, self.size, 3), BLUE, np.uint8), 2 * len(self.poses))

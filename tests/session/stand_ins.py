"""A face that a few lines can detect, and an engine that draws where it is told to.

For tests of the path between them.
"""

from __future__ import annotations

import numpy as np

from avatar_app.faces.crop import Region
from avatar_app.faces.detector import FaceDetector, Located
from avatar_app.types import Avatar, Crop, Face, Image, KeyPoints
from tests.support.heads import make_head


def draw_face(width: int = 160, height: int = 120, x: float = 80, y: float = 60, radius: float = 24) -> Image:
    """A grey picture with a white disc, which is the face."""
    rows, columns = np.mgrid[:height, :width]
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return np.where(inside[..., None], 255, 60).astype(np.uint8).repeat(3, axis=2)


def draw_ground(width: int = 160, height: int = 120) -> Image:
    """No face."""
    return np.full((height, width, 3), 60, np.uint8)


class DiscDetector(FaceDetector):
    """Treats the brightest area of a picture as a face of ``make_head``'s shape."""

    def __init__(self) -> None:
        super().__init__(None, None)

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        rows, columns = np.nonzero(image[..., 0] > 200)
        if len(rows) < 20:
            return []
        radius = np.sqrt(len(rows) / np.pi)
        points = make_head() * radius * 2 + [columns.mean(), rows.mean(), 0]
        return [Face(points.astype(np.float32), 1.0)]

    def located(self, image: Image, region: Region) -> Located:
        return Located((self.find(image) or [Face(np.zeros((88, 3), np.float32), 0.0)])[0])


class DrawingEngine:
    """Renders a black picture with a white dot at the nose of the pose.

    Its key points are the crop's landmarks.
    """

    size = 64
    name = "drawing"
    reads_pictures = True

    def __init__(self) -> None:
        self.poses: list[KeyPoints] = []

    def detect(self, crop: Crop) -> KeyPoints:
        assert crop.image.shape == (self.size, self.size, 3)
        if crop.landmarks is None:
            return KeyPoints(np.zeros((10, 2), np.float32), np.tile(np.eye(2, dtype=np.float32), (10, 1, 1)))
        return KeyPoints(crop.landmarks[:, :2], depth=crop.landmarks[:, 2])

    def encode(self, crop: Crop) -> Avatar:
        return Avatar(self.detect(crop), None)

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        self.poses.append(pose)
        return np.full((self.size, self.size, 3), len(self.poses) * 3 % 256, np.uint8)

    def close(self) -> None:
        pass

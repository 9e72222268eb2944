"""People and posters before a camera, as detected at any time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from avatar_app.faces.crop import Region
from avatar_app.faces.detector import FaceDetector, Located
from avatar_app.landmarks import face_height
from avatar_app.types import Array, Face, Image
from tests.support.heads import make_head

FPS = 20
WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class Person:
    """Somebody before the camera.

    ``at`` gives the centre of the face at a time, None while it is out of the picture.

    ``height`` is the face's, in pixels. ``alive``: blinks and speaks, unlike a poster.
    """

    at: Callable[[float], tuple[float, float] | None]
    height: float = 200
    alive: bool = True

    def points(self, now: float, noise: np.random.Generator) -> Array | None:
        place = self.at(now)
        if place is None:
            return None
        wide = 0.04 * (1 + np.sin(7 * now)) if self.alive else 0.01
        head = make_head(mouth=wide, lids=0.02 if self.alive and now % 3 < 0.15 else 0.1) * self.height + (
            *place,
            0,
        )
        return (head + noise.normal(0, 0.3, head.shape)).astype(np.float32)


class Scene(FaceDetector):
    """Detects the people at the time ``now``; pictures do not matter."""

    def __init__(self, people: Sequence[Person]) -> None:
        super().__init__(None, None)
        self.people, self.now = people, 0.0
        self.looks = 0
        self._noise = np.random.default_rng(0)

    def faces(self) -> list[Face]:
        points = [person.points(self.now, self._noise) for person in self.people]
        return sorted(
            (Face(one, 1.0) for one in points if one is not None), key=lambda face: -face_height(face.points)
        )

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        self.looks += 1
        return self.faces()

    def located(self, image: Image, region: Region) -> Located:
        near = [
            face
            for face in self.faces()
            if np.hypot(*(face.points[:, :2].mean(0) - (region.x, region.y))) < region.side / 2
        ]
        return Located(near[0] if near else Face(np.zeros((88, 3), np.float32), 0.0))

"""A drawn person before a drawn wall, with known alpha and background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avatar_app.compositing.clean_plate import Layers
from avatar_app.compositing.compositor import PhotoLayers
from avatar_app.compositing.scene import MatteResult, build_scene, wider
from avatar_app.faces.portrait import Portrait
from avatar_app.types import Box, Crop, Face, Image, Scene
from tests.support.heads import make_head

SKIN, WALL = (200, 60, 60), (90, 110, 130)


@dataclass(frozen=True)
class Drawn:
    """A photo, the alpha of its person, the wall behind, and the square around the face."""

    photo: Image
    alpha: Image
    wall: Image
    portrait: Portrait

    def crop(self, side: int, whole: bool = False) -> Crop:
        return self.portrait.crop(side, whole)

    def scene(self, side: int, whole: bool = False) -> Scene:
        crop = self.crop(side, whole)
        wide = wider(crop)
        seen = None
        if wide is not None:
            part = self._around(side, whole, wide.area.shape[0], side)
            seen = MatteResult(part[..., 3], np.ascontiguousarray(part[..., :3]))
        return build_scene(crop, self.layers(side), wide, seen)

    def layers(self, side: int) -> Layers:
        part = self._around(side, False, side, side)
        return Layers(self.crop(side).image, np.ascontiguousarray(part[..., 3]), part[..., :3].copy())

    def photo_layers(self, side: int) -> PhotoLayers:
        """Of `compositor`, in the whole scene."""
        layers = self.layers(side)
        square = PhotoLayers(np.dstack((layers.colours, layers.person)), layers.background)
        return square.in_scene(self.scene(side))

    def _around(self, side: int, whole: bool, shown: int, pixels: int) -> Image:
        """Wall and alpha in the square of ``shown`` pixels around the face, as in the crop, reduced to
        ``pixels``.
        """
        known = np.dstack((self.wall, self.alpha))
        box, scale = self.portrait.box, self.portrait.box.size / side
        half = (shown - 1) / 2
        matrix = np.array([[scale, 0, box.center_x - half * scale], [0, scale, box.center_y - half * scale]])
        part = cv2.warpAffine(
            known,
            matrix,
            (shown, shown),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(cv2.resize(part, (pixels, pixels), interpolation=cv2.INTER_AREA), np.uint8)


def draw(size: tuple[int, int] = (480, 480), x: float = 240, top: float = 60, face: float = 200) -> Drawn:
    """A photo of (width, height) with a head, neck and shoulders.

    Args:
        x: column of the head's middle.
        top: row of its top.
        face: its height.
    """
    width, height = size
    light = np.linspace(-25, 25, width, dtype=np.float32)[None, :, None]
    wall = np.clip(np.array(WALL, np.float32) + light + np.zeros((height, 1, 1), np.float32), 0, 255)
    large = np.zeros((2 * height, 2 * width), np.uint8)
    chin = top + 1.15 * face

    def ellipse(middle: float, row: float, half: float, tall: float) -> None:
        middle_2, row_2 = round(2 * middle), round(2 * row)
        cv2.ellipse(large, (middle_2, row_2), (round(2 * half), round(2 * tall)), 0, 0, 360, 255, -1)

    ellipse(x, top + 0.575 * face, 0.45 * face, 0.575 * face)
    cv2.rectangle(
        large,
        (round(2 * x - 0.4 * face), round(2 * chin - face)),
        (round(2 * x + 0.4 * face), 4 * height),
        255,
        -1,
    )
    ellipse(x, chin + 1.05 * face, 1.3 * face, 0.9 * face)
    alpha = np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    share = alpha[..., None].astype(np.float32) / 255
    photo = (wall * (1 - share) + np.array(SKIN, np.float32) * share).round().astype(np.uint8)
    points = (make_head() * face + [x, top + 0.62 * face, 0]).astype(np.float32)
    box = Box(x, top + 0.6 * face, 2 * face)
    portrait = Portrait(photo, Face(points, 1.0), box)
    return Drawn(photo, alpha, np.asarray(wall.round(), np.uint8), portrait)

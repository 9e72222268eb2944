"""Render the pictures of a clip's result.

Either the model's square, or the person before a background in a frame of any shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avatar_app.engines import Engine, render_layer
from avatar_app.errors import OutputError
from avatar_app.outputs.canvas import Canvas
from avatar_app.outputs.placement import AS_IT_COMES, moving_area
from avatar_app.text import Text
from avatar_app.types import Area, Avatar, Framing, Image, KeyPoints, Scene

TRANSPARENT = "transparent"

LONGEST = 1920
"""Longer side of the result for a whole photo, in pixels."""


@dataclass(frozen=True, slots=True)
class ClipStyle:
    """Size, background and framing of the result.

    Attributes:
        size: side of a square, or width and height, in pixels; None: the model's own, or the photo's.
        background: as for `Canvas`, or ``transparent``; None: the model's square, or the photo's own.
        framing: position and size of the person.
    """

    size: int | tuple[int, int] | None = None
    background: str | None = None
    framing: Framing = AS_IT_COMES

    @property
    def alpha(self) -> bool:
        """Whether pictures are transparent."""
        return self.background == TRANSPARENT

    def shape(self, own: int, photo: Image) -> tuple[int, int]:
        """Return width and height of the result for a model of this side; even in a frame."""
        if isinstance(self.size, tuple):
            width, height = self.size
        elif self.framing.whole and self.size is None:
            rows, columns = photo.shape[:2]
            scale = min(1.0, LONGEST / max(rows, columns))
            width, height = round(columns * scale), round(rows * scale)
        else:
            width = height = self.size or own
        return (width, height) if self.is_plain(width, height) else (width - width % 2, height - height % 2)

    def is_plain(self, width: int, height: int) -> bool:
        """Whether the model's square is wanted."""
        return width == height and self.background is None and self.framing == AS_IT_COMES


class ClipFrames:
    """Renders an avatar's poses into frames.

    Raises:
        OutputError: the background cannot be read, or the model cannot cut out people.
    """

    def __init__(self, engine: Engine, avatar: Avatar, photo: Image, look: ClipStyle) -> None:
        self._engine, self._avatar = engine, avatar
        self.size = look.shape(engine.size, photo)
        self.alpha = look.alpha
        self._framing = look.framing
        if self.alpha and avatar.scene is None:
            message = Text("This model cannot make the background transparent.")
            raise OutputError(message, Text("Use the model lite, or another background."))
        background = "photo" if look.background in (None, TRANSPARENT) else look.background
        self._canvas = (
            None
            if look.is_plain(*self.size)
            else Canvas(self.size, background or "photo", framing=look.framing)
        )

    def render(self, pose: KeyPoints) -> Image:
        """Return the next frame: (height, width, 3), or 4 channels if transparent."""
        if self._canvas is None:
            return resized(self._engine.render(self._avatar, pose), self.size[0])
        layer = render_layer(self._engine, self._avatar, pose, self._area)
        picture = layer.on(self._avatar.scene, 0.0)
        return self._canvas.cut_out(picture) if self.alpha else self._canvas.compose(picture).rgb()

    def _area(self, scene: Scene) -> Area:
        return moving_area(scene, self.size, self._framing)


def resized(picture: Image, size: int) -> Image:
    """Resize a square picture to this side."""
    if picture.shape[0] == size:
        return picture
    way = cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=way), np.uint8)

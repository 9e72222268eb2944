"""The square avatar picture on a canvas of the shape that calls expect, put together in the planes that they take.

A picture is turned to planes at its own size and enlarged as planes: half as many values to enlarge as in RGB, and none to convert.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.outputs.i420 import Outgoing, Plane, Planes, split, to_planes
from avatar_app.outputs.label import Label
from avatar_app.outputs.sides import blurred_extension, cover, read_background
from avatar_app.outputs.square import square_planes
from avatar_app.types import Frame, Image, Picture

FEATHER = 0.03
"""Share of the square's side over which each of its upright edges fades into the background."""

Columns = npt.NDArray[np.uint16]


class Canvas:
    """Places pictures. One thread.

    Args:
        size: (width, height) of the canvas, even, width >= height.
        background: what is left and right of the square: ``blur`` for its own blurred extension, a colour as ``#rrggbb``, or the path of
            a picture.
        mirror: mirror what is shown, but not the label.
        label: write "AI avatar" in the lower left corner.

    Raises:
        OutputError: the colour is malformed or the picture cannot be read.
    """

    def __init__(
        self, size: tuple[int, int], background: str, mirror: bool = False, label: bool = False
    ) -> None:
        width, height = size
        if width < height or width % 2 or height % 2:
            raise ValueError(f"a canvas is no higher than wide and of even sides, not {size}")
        self._size = size
        self._mirror = mirror
        self._is_blur = background == "blur"
        self._label = Label(size) if label else None
        self._background: Planes | None = None
        self._layers: list[_Layer] = []
        if not self._is_blur:
            self._set_background(read_background(background, size))

    def reset(self) -> None:
        """Another avatar comes: take a blurred background from its first picture."""
        if self._is_blur:
            self._background = None

    def compose(self, picture: Picture) -> Outgoing:
        """The square picture, of any side, at full height in the middle of new planes."""
        image = _mirrored(picture.image) if self._mirror else picture.image
        background = self._background
        if background is None:
            background = self._set_background(blurred_extension(image, self._size))
        # New, because the preview and a recording still look at the last ones. To copy it whole is quicker than its sides alone.
        planes = background.copy()
        for layer, plane, square in zip(self._layers, split(planes), square_planes(image), strict=True):
            layer.put(square, plane)
        if self._label:
            self._label.draw(planes)
        return Outgoing(planes, picture.captured_at, picture.avatar)

    def compose_wide(self, frame: Frame) -> Outgoing:
        """New planes filled with a camera's frame of any shape, whose longer sides are cut. It is no avatar: no label."""
        filled = cover(frame.image, self._size)
        return Outgoing(to_planes(_mirrored(filled) if self._mirror else filled), frame.captured_at)

    def _set_background(self, background: Image) -> Planes:
        """The upright edges of the square fade into what is behind them."""
        width, height = self._size
        left = (
            (width - height) // 4 * 2
        )  # even, and so is ``fade``: the chromas begin and end where the luma does
        fade = round(height * FEATHER / 2) * 2 if width > height else 0
        weight = (np.arange(1, fade + 1) * 256 // (fade + 1)).astype(np.uint16)
        self._background = to_planes(background)
        self._layers = [
            _Layer(plane, slice(left // step, (left + height) // step), weight[::step], weight[::-1][::step])
            for plane, step in zip(split(self._background), (1, 2, 2), strict=True)
        ]
        return self._background


class _Layer:
    """Where the square comes in one plane.

    Args:
        background: the whole plane of it.
        columns: those of the square.
        rising, falling: share of the square in its first and in its last columns, 0..256.
    """

    def __init__(self, background: Plane, columns: slice, rising: Columns, falling: Columns) -> None:
        behind, fade = background[:, columns], len(rising)
        self._columns = columns
        self._edges = (
            [_Edge(slice(0, fade), rising, behind), _Edge(slice(-fade, None), falling, behind)]
            if fade
            else []
        )

    def put(self, square: Plane, plane: Plane) -> None:
        """Enlarge the same plane of a picture, and put it into that of a canvas."""
        place = plane[:, self._columns]
        cv2.resize(square, place.shape[::-1], dst=place, interpolation=cv2.INTER_CUBIC)
        for edge in self._edges:
            edge.fade(place)


class _Edge:
    """Mixes one edge of the square with what is behind it, in one plane.

    Args:
        weight: share of the square in each column, 0..256.
    """

    def __init__(self, columns: slice, weight: Columns, behind: Plane) -> None:
        self._columns = columns
        # A value for each pixel: repeated over the rows by numpy, the multiplication takes longer.
        self._weight = np.ascontiguousarray(np.broadcast_to(weight, (len(behind), len(weight))))
        self._behind = behind[:, columns] * (256 - self._weight) + 128

    def fade(self, square: Plane) -> None:
        front = square[:, self._columns]
        mixed = front.astype(np.uint16)
        mixed *= self._weight
        mixed += self._behind
        mixed >>= 8
        front[:] = mixed


def _mirrored(image: Image) -> Image:
    return np.asarray(cv2.flip(image, 1), np.uint8)

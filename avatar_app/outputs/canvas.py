"""Compose the avatar on a canvas of the shape that calls expect, in I420 planes.

A picture is converted to planes at its own size and enlarged as planes: that is half as many values to
enlarge as in RGB, and none to convert.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.outputs.framed_scene import FramedScene
from avatar_app.outputs.i420 import Outgoing, Plane, Planes, split, to_planes
from avatar_app.outputs.label import Label
from avatar_app.outputs.placement import AS_IT_COMES
from avatar_app.outputs.sides import blurred_extension, cover, read_background
from avatar_app.outputs.square import layer_planes
from avatar_app.types import Frame, Framing, Image, Layer, Picture, Scene

FEATHER = 0.03
"""Fraction of the square's side over which each of its upright edges fades into the background."""

OWN = ("photo", "blur")
"""Backgrounds that come from the avatar itself."""

Columns = npt.NDArray[np.uint16]


class Canvas:
    """Composes pictures. One thread.

    Args:
        size: (width, height) of the canvas, even.
        background: behind the person: ``photo``: the photo's own, ``blur``: the same blurred, a colour as
            ``#rrggbb``, or the path of a picture. Beside an opaque square, the first two are its own blurred
            extension.
        mirror: mirror the person and the photo's background, but no other background and not the label.
        label: write "AI avatar" in the lower left corner.
        framing: size and position of the person.

    Raises:
        OutputError: the colour is malformed or the picture cannot be read.
    """

    def __init__(
        self,
        size: tuple[int, int],
        background: str,
        mirror: bool = False,
        label: bool = False,
        framing: Framing = AS_IT_COMES,
    ) -> None:
        width, height = size
        if width % 2 or height % 2:
            raise ValueError(f"a canvas is of even sides, not {size}")
        self._size, self._mirror, self._framing = size, mirror, framing
        self._blurred = background == "blur"
        self._given = None if background in OWN else read_background(background, size)
        self._label = Label(size) if label else None
        self._framed: tuple[Scene, FramedScene] | None = None
        self._background: Planes | None = None
        self._layers: list[_Layer] = []

    def reset(self) -> None:
        """Prepare for another avatar.

        The blurred sides of an opaque square are made from its first picture.
        """
        self._background = None

    def compose(self, picture: Picture) -> Outgoing:
        """Compose the picture on new planes.

        The preview and a recording still read the last ones.
        """
        planes = (
            self._square(picture.image) if picture.scene is None else self._person(picture, picture.scene)
        )
        if self._label:
            self._label.draw(planes)
        return Outgoing(planes, picture.captured_at, picture.avatar)

    def cut_out(self, picture: Picture) -> Image:
        """Return the person alone, (height, width, 4), or an opaque square."""
        if picture.scene is not None:
            return self._framed_scene(picture.scene).cut_out(_layer(picture))
        raise ValueError("an opaque square cannot be cut out")

    def compose_wide(self, frame: Frame) -> Outgoing:
        """Fill new planes with a camera's frame of any shape, cropped at its longer sides.

        It is not an avatar, so it gets no label.
        """
        filled = cover(frame.image, self._size)
        return Outgoing(to_planes(_mirrored(filled) if self._mirror else filled), frame.captured_at)

    def _person(self, picture: Picture, scene: Scene) -> Planes:
        return self._framed_scene(scene).put(_layer(picture))

    def _framed_scene(self, scene: Scene) -> FramedScene:
        if self._framed is None or self._framed[0] is not scene:
            framed = FramedScene(scene, self._size, self._framing, self._given, self._blurred, self._mirror)
            self._framed = (scene, framed)
        return self._framed[1]

    def _square(self, image: Image) -> Planes:
        image = _framed(image, self._framing)
        image = _mirrored(image) if self._mirror else image
        background = self._background
        if background is None:
            given = self._given
            background = self._set_background(
                blurred_extension(image, self._size) if given is None else given
            )
        # Copying it whole is faster than copying its sides.
        planes = background.copy()
        for layer, plane, square in zip(self._layers, split(planes), layer_planes(image), strict=True):
            layer.put(square, plane)
        return planes

    def _set_background(self, background: Image) -> Planes:
        """Fade the free edges of the square into the background."""
        width, height = self._size
        side = min(width, height)
        # Even, and so is ``fade``: chroma begins and ends where luma does.
        left, top = (width - side) // 4 * 2, (height - side) // 4 * 2
        fade = round(side * FEATHER / 2) * 2 if width != height else 0
        weight = (np.arange(1, fade + 1) * 256 // (fade + 1)).astype(np.uint16)
        self._background = to_planes(background)
        self._layers = [
            _Layer(
                plane if width >= height else plane.T,
                slice((left or top) // step, ((left or top) + side) // step),
                weight[::step],
                weight[::-1][::step],
                upright=width >= height,
            )
            for plane, step in zip(split(self._background), (1, 2, 2), strict=True)
        ]
        return self._background


class _Layer:
    """The square in one plane.

    Args:
        background: the whole plane of it.
        columns: those of the square.
        rising, falling: weight of the square in its first and in its last columns, 0..256.
        upright: the square is as high as the canvas; else as wide, and rows and columns are swapped.
    """

    def __init__(
        self, background: Plane, columns: slice, rising: Columns, falling: Columns, upright: bool = True
    ) -> None:
        behind, fade = background[:, columns], len(rising)
        self._columns, self._upright = columns, upright
        self._edges = (
            [_Edge(slice(0, fade), rising, behind), _Edge(slice(-fade, None), falling, behind)]
            if fade
            else []
        )

    def put(self, square: Plane, plane: Plane) -> None:
        """Enlarge one plane of a picture, and put it into that of a canvas."""
        place = plane[:, self._columns] if self._upright else plane[self._columns]
        cv2.resize(square, place.shape[::-1], dst=place, interpolation=cv2.INTER_CUBIC)
        for edge in self._edges:
            edge.fade(place if self._upright else place.T)


class _Edge:
    """Blends one edge of the square with the background, in one plane.

    Args:
        weight: of the square in each column, 0..256.
    """

    def __init__(self, columns: slice, weight: Columns, behind: Plane) -> None:
        self._columns = columns
        # A value for each pixel: multiplying by values that numpy repeats over the rows takes longer.
        self._weight = np.ascontiguousarray(np.broadcast_to(weight, (len(behind), len(weight))))
        self._behind = behind[:, columns] * (256 - self._weight) + 128

    def fade(self, square: Plane) -> None:
        front = square[:, self._columns]
        mixed = front.astype(np.uint16)
        mixed *= self._weight
        mixed += self._behind
        mixed >>= 8
        front[:] = mixed


def _layer(picture: Picture) -> Layer:
    return Layer(picture.image, picture.alpha, picture.corner)


def _framed(image: Image, framing: Framing) -> Image:
    """Return the part of an opaque square that a user who zooms in wants to see.

    There is nothing around it to zoom out to.
    """
    if framing.zoom <= 1:
        return image
    side = len(image)
    part = max(2, round(side / min(2.0, framing.zoom) / 2) * 2)
    left, top = (
        min(side - part, max(0, round((side - part) / 2 - pan * part)))
        for pan in (framing.pan_x, framing.pan_y)
    )
    return np.ascontiguousarray(image[top : top + part, left : left + part])


def _mirrored(image: Image) -> Image:
    return np.asarray(cv2.flip(image, 1), np.uint8)

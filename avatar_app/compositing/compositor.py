"""The last step of a landmark model on a processor.

Moves the photo, blends it with the painted parts and puts it before its background. All in bytes and by
OpenCV, which moves a photo of 512 x 512 in a fraction of the time of ONNX Runtime.
`networks.anchored.AnchoredGenerator.decode` does the same in floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.clean_plate import Layers, separate
from avatar_app.types import Area, Image, Scene

AnyArray = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Plane = npt.NDArray[np.uint8]

TILE = 8
"""Side of the tiles that mark where the person is, in pixels."""

AROUND = 3
"""Tiles around the person that are processed too: motion may stretch a picture, and colours continue beyond
the outline.
"""


@dataclass(frozen=True, slots=True)
class PhotoLayers:
    """The layers of a photo.

    Attributes:
        cut_out: (h, w, 4), the person's colours and alpha. In one array because OpenCV moves four channels in
            half the time that three and one take.
        background: (S, S, 3), the photo without the person.
        corner: column and row of the square's first pixel in ``cut_out``, which may be larger.
        tiles: of ``cut_out``, from `person_tiles`; None: the whole square is always moved.
    """

    cut_out: Image
    background: Image
    corner: tuple[int, int] = (0, 0)
    tiles: Plane | None = None

    @property
    def side(self) -> int:
        return len(self.background)

    @property
    def parts(self) -> Layers:
        """Return the layers of the square."""
        return Layers(self.square[..., :3], self.square[..., 3], self.background)

    @property
    def square(self) -> Image:
        """Return the part of ``cut_out`` in the square."""
        x, y = self.corner
        return self.cut_out[y : y + self.side, x : x + self.side]

    def in_scene(self, scene: Scene) -> PhotoLayers:
        """Return the same layers with the person of a whole scene.

        Pixels from beyond the square are then known.
        """
        tiles = person_tiles(scene.person[..., 3])
        return replace(self, cut_out=scene.person, corner=scene.corner, tiles=tiles)

    @classmethod
    def of(
        cls, photo: Image, landmarks: Floats, layers: Mapping[str, AnyArray], others: Sequence[Floats] = ()
    ) -> PhotoLayers:
        """Separate a photo into layers.

        Args:
            landmarks: (P, 2), the photo's.
            layers: the outputs of `onnx_export.anchored.PHOTO_LAYERS` for it, as a batch of 1.
            others: landmarks of other people.
        """
        person, filled = (layers[name][0] for name in ("person", "background"))
        parts = separate(photo, np.ascontiguousarray(person[..., 0]), filled, landmarks, others)
        return cls(np.dstack((parts.colours, parts.person)), parts.background)


@dataclass(frozen=True, slots=True)
class FaceCrops:
    """Painted crops of mouth and eyes.

    Attributes:
        crops: bytes (h, w, 4) each, colours and alpha; transparent at the border.
        frames: (n, 2, 3), affine maps from [-1, 1] of each crop to [-1, 1] of the picture, centres of outer
            pixels at -1 and 1.
    """

    crops: Sequence[Image]
    frames: Floats

    @classmethod
    def of(cls, mouth: Image, eyes: Image, frames: Floats) -> FaceCrops:
        """Convert a render graph's outputs: (1, h, w, 4), (2, h, w, 4), (3, 2, 3)."""
        return cls((mouth[0], eyes[0], eyes[1]), frames)


def compose(
    layers: PhotoLayers, painted: Image, alpha: Plane, grid: Floats, face: FaceCrops | None = None
) -> Image:
    """Return the picture (S, S, 3): `move_person` before the photo's own background."""
    colours, person = move_person(layers, painted, alpha, grid, face)
    composed: Image = blend(colours, layers.background, _wide(person))
    return composed


def move_person(
    layers: PhotoLayers, painted: Image, alpha: Plane, grid: Floats, face: FaceCrops | None
) -> tuple[Image, Plane]:
    """Return the person's colours (S, S, 3) and alpha (S, S) in the square.

    Args:
        painted: (s, s, 3), the network's own picture.
        alpha: (s, s), of the moved photo over ``painted``.
        grid: sampling grid (2, S, S), column and row of the photo; changed to those of ``layers.cut_out``.
        face: mouth and eyes; None keeps those that the network painted.
    """
    whole = Area(0, 0, layers.side, layers.side)
    shift(layers, grid)
    there = moved(layers, grid[0], grid[1])
    picture = np.asarray(cv2.cvtColor(there, cv2.COLOR_RGBA2RGB), np.uint8)
    paint(picture, whole, layers.side, painted, alpha)
    paint_face(picture, whole, layers.side, face)
    return picture, np.asarray(cv2.extractChannel(there, 3), np.uint8)


def paint(picture: Image, area: Area, side: int, painted: Image, alpha: Plane) -> None:
    """Blend the painted parts into the moved photo, in place.

    Only where anything was painted: a face, a fifth of the picture.

    Args:
        picture: the pixels of ``area``, a part of the square of ``side``; changed.
        painted, alpha: as in `move_person`.
    """
    there = alpha < 255
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    if not len(rows):
        return
    # A margin for blurring and enlarging, which read neighbours.
    (top, bottom), (left, right) = ((max(0, int(line[0]) - 3), int(line[-1]) + 4) for line in (rows, columns))
    few = slice(top, bottom), slice(left, right)
    weight, front = _soft(alpha[few]), _soft(painted[few])
    times = side // len(alpha)
    size = weight.shape[1] * times, weight.shape[0] * times
    many = Area(left * times, top * times, left * times + size[0], top * times + size[1])
    shown = many.common(area)
    if min(shown.shape) <= 0:
        return
    of = shown.moved(-many.left, -many.top).slices
    part = picture[shown.moved(-area.left, -area.top).slices]
    part[...] = blend(part, cv2.resize(front, size)[of], _wide(cv2.resize(weight, size)[of]))


def paint_face(picture: Image, area: Area, side: int, face: FaceCrops | None) -> None:
    """Lay mouth and eyes over the picture of ``area``, a part of the square."""
    if face is not None:
        for crop, frame in zip(face.crops, face.frames, strict=True):
            _paste(picture, area, side, crop, frame)


def shift(layers: PhotoLayers, grid: Floats) -> None:
    """Change a sampling grid of the square to that of the cut-out, in place."""
    x, y = layers.corner
    grid[0] += np.float32(x)
    grid[1] += np.float32(y)


def moved(layers: PhotoLayers, columns: Floats, rows: Floats) -> Image:
    """Return colours and alpha at positions of the cut-out.

    Beyond a cut-out of the square alone it is mirrored sideways, so that hair cut by the sides continues as
    hair and not as stripes; above it nothing is mirrored, since that would show a head upside down.
    """
    if layers.corner == (0, 0):
        rows = np.maximum(rows, 0)
    there = cv2.remap(layers.cut_out, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(there, np.uint8)


def person_tiles(alpha: Plane) -> Plane:
    """Mark tiles that contain a part of the person, and those around them, with 255.

    Tiles have ``TILE`` x ``TILE`` pixels.
    """
    covered = np.where(alpha > 0, np.uint8(255), np.uint8(0))
    size = -(-alpha.shape[1] // TILE), -(-alpha.shape[0] // TILE)
    tiles = cv2.resize(covered, size, interpolation=cv2.INTER_AREA)
    tiles = cv2.dilate(tiles, np.ones((2 * AROUND + 1, 2 * AROUND + 1), np.uint8))
    return np.where(tiles > 0, np.uint8(255), np.uint8(0))


def _paste(picture: Image, area: Area, side: int, crop: Image, frame: Floats) -> None:
    """Lay a crop (h, w, 4) over the picture, in place."""
    height, width = crop.shape[:2]
    if not np.isfinite(frame).all():
        return
    corners = frame[:, :2] @ np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) + frame[:, 2:]
    origin = np.array([[area.left], [area.top]])
    pixels = (corners + 1) * ((side - 1) / 2) - origin
    end = (area.right - area.left, area.bottom - area.top)
    low = np.clip(np.floor(pixels.min(1)), 0, end).astype(int)
    high = np.clip(np.ceil(pixels.max(1)) + 1, 0, end).astype(int)
    if (high - low < 1).any():
        return
    steps = np.array([2 / (width - 1), 2 / (height - 1)])
    axes = frame[:, :2] * steps * ((side - 1) / 2)
    matrix = np.column_stack([axes, pixels[:, 0] - low])
    there = cv2.warpAffine(crop, matrix, tuple(int(length) for length in high - low))
    part = picture[low[1] : high[1], low[0] : high[0]]
    part[...] = blend(cv2.cvtColor(there, cv2.COLOR_RGBA2RGB), part, _wide(cv2.extractChannel(there, 3)))


def _wide(plane: Any) -> Any:
    """Repeat one channel as three."""
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)


def _soft(picture: Any) -> Any:
    """Blur with the weights 1 2 1, as `networks.anchored.blur` does."""
    return cv2.GaussianBlur(picture, (3, 3), 0)


def blend(front: Any, back: Any, alpha: Any) -> Any:
    """Blend: ``front`` where ``alpha`` is 255, ``back`` where it is 0."""
    return cv2.add(
        cv2.multiply(front, alpha, scale=1 / 255), cv2.multiply(back, cv2.bitwise_not(alpha), scale=1 / 255)
    )

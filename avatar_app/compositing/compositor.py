"""The last step of a landmark-anchored model on a processor.

The photo is moved, blended with what was painted, put before its background.

All in bytes and by OpenCV, which moves a photo of 512 x 512 in a fraction of the time that ONNX Runtime
takes. In floats the same is done by `networks.anchored.AnchoredGenerator.decode`.
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
"""Side of the tiles in which a person is looked for."""

AROUND = 3
"""Tiles around a person that are looked at too: motion may draw a picture out, and colours go on beyond the
outline."""


@dataclass(frozen=True, slots=True)
class PhotoLayers:
    """What a photo's pictures are put together from.

    Attributes:
        cut_out: (h, w, 4), the person's colours and in the last channel each pixel's alpha.
            Both are moved at once: OpenCV needs half the time for four channels that it needs for three and
            one.
        background: (S, S, 3), the photo without the person.
        corner: column and row of the square's first pixel in ``cut_out``, which may be larger.
        tiles: as `person_tiles` makes them of ``cut_out``; None where the whole square is always moved.
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
        """The square taken apart."""
        return Layers(self.square[..., :3], self.square[..., 3], self.background)

    @property
    def square(self) -> Image:
        """The part of ``cut_out`` in the square."""
        x, y = self.corner
        return self.cut_out[y : y + self.side, x : x + self.side]

    def in_scene(self, scene: Scene) -> PhotoLayers:
        """Return the same layers with the person of a whole scene.

        So that what comes from beyond the square is known.
        """
        tiles = person_tiles(scene.person[..., 3])
        return replace(self, cut_out=scene.person, corner=scene.corner, tiles=tiles)

    @classmethod
    def of(
        cls, photo: Image, landmarks: Floats, layers: Mapping[str, AnyArray], others: Sequence[Floats] = ()
    ) -> PhotoLayers:
        """Take a photo apart into layers.

        ``landmarks`` (P, 2) are the photo's landmarks; the rest are the outputs of
        `onnx_export.anchored.PHOTO_LAYERS` for it, as a batch of 1.
        """
        person, filled = (layers[name][0] for name in ("person", "background"))
        parts = separate(photo, np.ascontiguousarray(person[..., 0]), filled, landmarks, others)
        return cls(np.dstack((parts.colours, parts.person)), parts.background)


@dataclass(frozen=True, slots=True)
class FaceCrops:
    """Mouth and eyes as painters made them.

    Attributes:
        crops: bytes (h, w, 4) each, colours and alpha; transparent at the border.
        frames: (n, 2, 3), affine maps from [-1, 1] of each crop to [-1, 1] of the picture, centres of outer
            pixels at -1 and 1.
    """

    crops: Sequence[Image]
    frames: Floats

    @classmethod
    def of(cls, mouth: Image, eyes: Image, frames: Floats) -> FaceCrops:
        """Of a render graph's outputs: (1, h, w, 4), (2, h, w, 4), (3, 2, 3)."""
        return cls((mouth[0], eyes[0], eyes[1]), frames)


def compose(
    layers: PhotoLayers, painted: Image, alpha: Plane, grid: Floats, face: FaceCrops | None = None
) -> Image:
    """The picture (S, S, 3): `move_person` before the photo's own background."""
    colours, share = move_person(layers, painted, alpha, grid, face)
    composed: Image = blend(colours, layers.background, _wide(share))
    return composed


def move_person(
    layers: PhotoLayers, painted: Image, alpha: Plane, grid: Floats, face: FaceCrops | None
) -> tuple[Image, Plane]:
    """The person's colours (S, S, 3) and alpha (S, S) in the square.

    Args:
        painted: (s, s, 3), the network's own picture.
        alpha: (s, s), of the moved photo; the rest is painted.
        grid: sampling grid (2, S, S), column and row of the photo from which each pixel is moved; changed
            to those of ``layers.cut_out``.
        face: mouth and eyes; None leaves them as the network painted them.
    """
    whole = Area(0, 0, layers.side, layers.side)
    shift(layers, grid)
    there = moved(layers, grid[0], grid[1])
    picture = np.asarray(cv2.cvtColor(there, cv2.COLOR_RGBA2RGB), np.uint8)
    paint(picture, whole, layers.side, painted, alpha)
    paint_face(picture, whole, layers.side, face)
    return picture, np.asarray(cv2.extractChannel(there, 3), np.uint8)


def paint(picture: Image, area: Area, side: int, painted: Image, alpha: Plane) -> None:
    """Blend what was painted into the moved photo, where anything was.

    A face, a fifth of the picture.

    Args:
        picture: what ``area`` of the square of ``side`` shows; changed.
        painted, alpha: as in `move_person`.
    """
    there = alpha < 255
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    if not len(rows):
        return
    # A margin for the softening and the enlarging, which look at neighbours.
    (top, bottom), (left, right) = ((max(0, int(line[0]) - 3), int(line[-1]) + 4) for line in (rows, columns))
    few = slice(top, bottom), slice(left, right)
    share, front = _soft(alpha[few]), _soft(painted[few])
    times = side // len(alpha)
    size = share.shape[1] * times, share.shape[0] * times
    many = Area(left * times, top * times, left * times + size[0], top * times + size[1])
    shown = many.common(area)
    if min(shown.shape) <= 0:
        return
    of = shown.moved(-many.left, -many.top).slices
    part = picture[shown.moved(-area.left, -area.top).slices]
    part[...] = blend(part, cv2.resize(front, size)[of], _wide(cv2.resize(share, size)[of]))


def paint_face(picture: Image, area: Area, side: int, face: FaceCrops | None) -> None:
    """Lay mouth and eyes over the picture of ``area`` of the square."""
    if face is not None:
        for crop, frame in zip(face.crops, face.frames, strict=True):
            _paste(picture, area, side, crop, frame)


def shift(layers: PhotoLayers, grid: Floats) -> None:
    """Move a sampling grid of the square to that of the cut-out.

    In place: a copy takes longer.
    """
    x, y = layers.corner
    grid[0] += np.float32(x)
    grid[1] += np.float32(y)


def moved(layers: PhotoLayers, columns: Floats, rows: Floats) -> Image:
    """Return colours and alpha at positions of the cut-out.

    Beyond a cut-out of the square alone it is mirrored: hair that the sides cut goes on as hair and not as
    stripes, but above it no head stands upside down.
    """
    if layers.corner == (0, 0):
        rows = np.maximum(rows, 0)
    there = cv2.remap(layers.cut_out, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(there, np.uint8)


def person_tiles(alpha: Plane) -> Plane:
    """Mark the tiles in which there is anything of a person with 255.

    Those around them too. Tiles have ``TILE`` x ``TILE`` pixels.
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
    """One channel as three."""
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)


def _soft(picture: Any) -> Any:
    """Weights 1 2 1, as `networks.anchored.blur`."""
    return cv2.GaussianBlur(picture, (3, 3), 0)


def blend(front: Any, back: Any, share: Any) -> Any:
    """``front`` where ``share`` is 255, ``back`` where it is 0."""
    return cv2.add(
        cv2.multiply(front, share, scale=1 / 255), cv2.multiply(back, cv2.bitwise_not(share), scale=1 / 255)
    )

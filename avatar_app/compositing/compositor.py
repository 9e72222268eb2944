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
from avatar_app.types import Area, Image, Layer, Scene

AnyArray = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Plane = npt.NDArray[np.uint8]

SWAY, LIFT, DROP = 16, 2, 3
"""Outside of the square the motion at its edges fades out over this part of its side, beside it, above and
below."""

SHOULDERS = 4
"""Shoulders begin to stand still so far inside of the square's sides."""

CHIN = 8

NECK = -0.05, 0.1
"""Between these depths below the chin, in sides of the square, shoulders begin."""


@dataclass(frozen=True, slots=True)
class PhotoLayers:
    """What a photo's pictures are put together from.

    Attributes:
        cut_out: (h, w, 4), the person's colours and in the last channel each pixel's alpha.
            Both are moved at once: OpenCV needs half the time for four channels that it needs for three and
            one.
        background: (S, S, 3), the photo without the person.
        corner: column and row of the square's first pixel in ``cut_out``, which may be larger.
    """

    cut_out: Image
    background: Image
    corner: tuple[int, int] = (0, 0)

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
        return replace(self, cut_out=scene.person, corner=scene.corner)

    @classmethod
    def of(
        cls, photo: Image, still: Floats, layers: Mapping[str, AnyArray], others: Sequence[Floats] = ()
    ) -> PhotoLayers:
        """Take a photo apart into layers.

        ``still`` (P, 2) are the photo's landmarks; the rest are the outputs of
        `onnx_export.anchored.PHOTO_LAYERS` for it, as a batch of 1.
        """
        person, filled = (layers[name][0] for name in ("person", "background"))
        parts = separate(photo, np.ascontiguousarray(person[..., 0]), filled, still, others)
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
    layers: PhotoLayers, painted: Image, alpha: Plane, places: Floats, face: FaceCrops | None = None
) -> Image:
    """The picture (S, S, 3): `move_person` before the photo's own background."""
    colours, share = move_person(layers, painted, alpha, places, face)
    composed: Image = _mixed(colours, layers.background, _wide(share))
    return composed


def compose_layer(
    layers: PhotoLayers,
    painted: Image,
    alpha: Plane,
    places: Floats,
    pose: Floats,
    area: Area,
    face: FaceCrops | None = None,
) -> Layer:
    """`move_person` over an area that may reach beyond the square.

    There the motion at the square's edge fades out.
    """
    calm_shoulders(places, (pose[CHIN, 1] + 1) * (layers.side - 1) / 2)
    colours, share = move_person(layers, painted, alpha, places, face)
    side, (top, left) = layers.side, (area.top, area.left)
    image, person = np.zeros((*area.shape, 3), np.uint8), np.zeros(area.shape, np.uint8)
    inner = Area(max(0, left), max(0, top), min(side, area.right), min(side, area.bottom))
    into = inner.moved(-left, -top).slices
    image[into], person[into] = colours[inner.slices], share[inner.slices]
    for strip in (
        Area(left, max(0, top), 0, inner.bottom),
        Area(side, max(0, top), area.right, inner.bottom),
        Area(left, top, area.right, 0),
        Area(left, side, area.right, area.bottom),
    ):
        if min(strip.shape) > 0:
            into = strip.moved(-left, -top).slices
            _continue(layers, places, share, strip, image[into], person[into])
    return Layer(image, person, (left, top))


def move_person(
    layers: PhotoLayers, painted: Image, alpha: Plane, places: Floats, face: FaceCrops | None
) -> tuple[Image, Plane]:
    """The person's colours (S, S, 3) and alpha (S, S) in the square.

    Args:
        painted: (s, s, 3), the network's own picture.
        alpha: (s, s), of the moved photo; the rest is painted.
        places: sampling grid (2, S, S), column and row of the photo from which each pixel is moved; changed
            to those of ``layers.cut_out``.
        face: mouth and eyes; None leaves them as the network painted them.
    """
    size = (layers.side, layers.side)
    share = cv2.resize(_soft(alpha), size)
    moved = _moved(layers, places[0], places[1])
    picture = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)
    _paint(picture, painted, alpha, share)
    if face is not None:
        for crop, frame in zip(face.crops, face.frames, strict=True):
            _paste(picture, crop, frame)
    return picture, np.asarray(cv2.extractChannel(moved, 3), np.uint8)


def _paint(picture: Any, painted: Image, alpha: Plane, share: Any) -> None:
    """Blend what was painted into the moved photo, where anything was.

    A face, a fifth of the picture.

    Args:
        share: ``alpha`` at the picture's size.
    """
    there = alpha < 255
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    if not len(rows):
        return
    # A margin for the softening and the enlarging, which look at neighbours.
    few = tuple(slice(max(0, line[0] - 3), line[-1] + 4) for line in (rows, columns))
    times = len(picture) // len(alpha)
    many = tuple(slice(part.start * times, part.stop * times) for part in few)
    part = picture[many]
    front = cv2.resize(_soft(painted[few]), part.shape[1::-1])
    part[...] = _mixed(part, front, _wide(share[many]))


def _moved(layers: PhotoLayers, columns: Floats, rows: Floats) -> Any:
    """The cut-out at places of the square.

    Beyond a cut-out of the square alone it is mirrored: hair that the sides cut goes on as hair and not as
    stripes, but above it no head stands upside down.
    """
    x, y = layers.corner
    if layers.corner == (0, 0):
        rows = np.maximum(rows, 0)
    else:
        columns += np.float32(x)  # in place: a copy takes longer
        rows += np.float32(y)
    return cv2.remap(layers.cut_out, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _continue(
    layers: PhotoLayers, places: Floats, share: Plane, strip: Area, image: Image, person: Plane
) -> None:
    """Fill a strip outside the square as far as the person reaches into it.

    Args:
        places: as `move_person` leaves them.
        share: alpha in the square.
        image, person: colours and alpha of the strip, all 0; changed.
    """
    side, (x, y) = layers.side, layers.corner
    columns, rows = (np.arange(*ends) for ends in ((strip.left, strip.right), (strip.top, strip.bottom)))
    edge_x, edge_y = columns.clip(0, side - 1), rows.clip(0, side - 1)
    still = layers.cut_out[strip.moved(x, y).slices][..., 3]
    lying = strip.bottom <= 0 or strip.top >= side
    there = (
        still.any(0) | (share[edge_y[0], edge_x] > 0)
        if lying
        else still.any(1) | (share[edge_y, edge_x[0]] > 0)
    )
    found = np.flatnonzero(there)
    if not len(found):
        return
    some, every = slice(max(0, found[0] - 4), found[-1] + 5), slice(None)
    part = (every, some) if lying else (some, every)
    columns, edge_x, rows, edge_y = columns[part[1]], edge_x[part[1]], rows[part[0]], edge_y[part[0]]
    edge = np.ix_(edge_y, edge_x)
    fade = np.outer(_fade(rows, side, LIFT, DROP), _fade(columns, side, SWAY, SWAY))
    from_x = columns[None] + fade * (places[0][edge] - x - edge_x[None])
    from_y = rows[:, None] + fade * (places[1][edge] - y - edge_y[:, None])
    moved = _moved(layers, from_x.astype(np.float32), from_y.astype(np.float32))
    image[part], person[part] = moved[..., :3], moved[..., 3]


def _fade(line: AnyArray, side: int, before: int, after: int) -> Floats:
    """Return how much of the motion at the square's edges is left beyond them, 0 to 1."""
    beyond = np.maximum(np.maximum(-line * before, (line - (side - 1)) * after), 0)
    return np.asarray(np.clip(1 - beyond / side, 0, 1), np.float32)


def calm_shoulders(places: Floats, chin: float) -> None:
    """Calm the shoulders at the sides of a sampling grid ``places`` (2, S, S).

    What the photo's crop cuts off stands still, so the shoulders next to it must not move.

    Args:
        chin: its row.
    """
    side = places.shape[1]
    few, first = side // SHOULDERS, max(0, int(chin + NECK[0] * side))
    if first >= side:
        return
    rows = np.arange(first, side, dtype=np.float32)[:, None]
    below = np.clip((rows - first) / ((NECK[1] - NECK[0]) * side), 0, 1)
    still = below * np.linspace(1, 0, few, dtype=np.float32) ** 2
    for columns, share in ((np.arange(few), still), (np.arange(side - few, side), still[:, ::-1])):
        for place, here in zip(places, (columns[None], rows), strict=True):
            part = place[first:, columns[0] : columns[-1] + 1]
            part += share * (here - part)


def _paste(picture: Image, crop: Image, frame: Floats) -> None:
    """Lay a crop (h, w, 4) over the picture (S, S, 3), in place."""
    (height, width), side = crop.shape[:2], picture.shape[0]
    if not np.isfinite(frame).all():
        return
    corners = frame[:, :2] @ np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) + frame[:, 2:]
    pixels = (corners + 1) * ((side - 1) / 2)
    low = np.clip(np.floor(pixels.min(1)), 0, side).astype(int)
    high = np.clip(np.ceil(pixels.max(1)) + 1, 0, side).astype(int)
    if (high - low < 1).any():
        return
    steps = np.array([2 / (width - 1), 2 / (height - 1)])
    axes = frame[:, :2] * steps * ((side - 1) / 2)
    matrix = np.column_stack([axes, pixels[:, 0] - low])
    there = cv2.warpAffine(crop, matrix, tuple(int(length) for length in high - low))
    part = picture[low[1] : high[1], low[0] : high[0]]
    part[...] = _mixed(cv2.cvtColor(there, cv2.COLOR_RGBA2RGB), part, _wide(cv2.extractChannel(there, 3)))


def _wide(plane: Any) -> Any:
    """One channel as three."""
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)


def _soft(picture: Any) -> Any:
    """Weights 1 2 1, as `networks.anchored.blur`."""
    return cv2.GaussianBlur(picture, (3, 3), 0)


def _mixed(front: Any, back: Any, share: Any) -> Any:
    """``front`` where ``share`` is 255, ``back`` where it is 0."""
    return cv2.add(
        cv2.multiply(front, share, scale=1 / 255), cv2.multiply(back, cv2.bitwise_not(share), scale=1 / 255)
    )

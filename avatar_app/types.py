"""Values that several folders share. Plain, frozen, numpy only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""An RGB picture, (H, W, 3), 0..255."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class KeyPoints:
    """Key points of one face picture, in [-1, 1], x first.

    x = 2 * column / (width - 1) - 1.

    Attributes:
        value: (K, 2) positions.
        jacobian: (K, 2, 2) local affine frames (FOMM section 3.1), or None if the network estimates them
            itself.
        depth: (K,) in the unit of ``value``, smaller is nearer, or None for key points without depth.
        variance: (K, 2, 2) covariances of the heat maps (Monkey-Net), or None.
        code: (C,) X2Face's code of a picture; ``value`` is then empty, and motion is always absolute.
        expression: (24,) details of mouth and eyes beyond the landmarks, in [-1, 1] (`networks.expression`),
            or None.
    """

    value: Array
    jacobian: Array | None = None
    depth: Array | None = None
    variance: Array | None = None
    code: Array | None = None
    expression: Array | None = None

    @property
    def parts(self) -> dict[str, Array]:
        """Return the existing arrays, by name."""
        named = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: array for name, array in named if array is not None}


NO_EXPRESSION: Array = np.zeros(24, np.float32)
"""The unknown expression: painters then use landmarks alone."""

NO_POINTS: Array = np.zeros((0, 2), np.float32)
"""The ``value`` of key points that are only a code."""


def key_points(parts: Mapping[str, Array]) -> KeyPoints:
    """Return key points from their arrays by name."""
    return KeyPoints(**{"value": NO_POINTS, **parts})


def shape_of_part(name: str, count: int, size: int) -> tuple[int, ...]:
    """Return the shape that a part of ``count`` key points must have.

    For a code, whose length is free, that of its ``size`` numbers.
    """
    shapes = {"value": (count, 2), "jacobian": (count, 2, 2), "depth": (count,), "variance": (count, 2, 2)}
    return shapes.get(name, (size,))


def combine_key_points(function: Callable[..., Any], *points: KeyPoints) -> KeyPoints:
    """Apply a function to each part of several key points.

    Parts that one of them lacks are left out.
    """
    named = [each.parts for each in points]
    shared = [name for name in named[0] if all(name in parts for parts in named)]
    return key_points(
        {name: np.asarray(function(*(parts[name] for parts in named)), np.float32) for name in shared}
    )


@dataclass(frozen=True, slots=True)
class Face:
    """A face found in a picture.

    Attributes:
        points: (88, 3) landmarks: x, y in pixels of that picture, z in pixels too, smaller is nearer.
        score: 0..1, certainty that this is a face.
        expression: as in `KeyPoints`; None without a network for it.
    """

    points: Array
    score: float
    expression: Array | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A square region of a picture, in pixels.

    It may extend beyond the picture's edges.
    """

    center_x: float
    center_y: float
    size: float


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of whole pixels, without its last column and row.

    It may extend beyond the picture.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return slices of rows and columns of an array at the rectangle's origin.

        None may be negative.
        """
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, x: int, y: int) -> Area:
        """Return the rectangle moved ``x`` columns to the right and ``y`` rows down."""
        return Area(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def times(self, factor: int) -> Area:
        """Return the rectangle in pixels that are smaller by ``factor``."""
        return Area(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)

    def common(self, other: Area) -> Area:
        """Return the common part of two rectangles.

        Its size is 0 or negative if there is none.
        """
        return Area(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The photo around its square crop, at the crop's scale.

    Attributes:
        image: (h, w, 3); beyond the photo's edges its last pixels are repeated.
        corner: column and row of the crop's first pixel in it.
        photo: the part that the photo covers.
    """

    image: Image
    corner: tuple[int, int]
    photo: Area


@dataclass(frozen=True, slots=True)
class Crop:
    """A square face picture, framed as in the networks' training.

    Attributes:
        image: (S, S, 3).
        landmarks: (88, 3) in [-1, 1] of the crop (z in the same unit), or None without a face.
        others: the landmarks of other people's faces, in the same unit; they may lie outside the crop.
        around: None if not needed: for drivers, and for models without a matte.
        expression: the face's, as in `KeyPoints`.
    """

    image: Image
    landmarks: Array | None = None
    others: tuple[Array, ...] = ()
    around: Surroundings | None = None
    expression: Array | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """An avatar at rest, separated into person and background.

    A canvas puts the person before the photo's own background or another one.

    Attributes:
        person: (h, w, 4), the person's colours and alpha. Colours continue beyond the outline.
        background: (h, w, 3), the photo without the person, continued beyond the photo's edges.
        corner: column and row of the square's first pixel in them.
        side: of the square.
        head: from the hair's top to the chin, rows of the square.
        ends: rows of the square where the photo cuts the hair and the body; None where it does not.
        photo: the photo's area, in pixels of the square.
    """

    person: Image = field(repr=False)
    background: Image = field(repr=False)
    corner: tuple[int, int]
    side: int
    head: tuple[float, float]
    ends: tuple[float | None, float | None] = (None, None)
    photo: Area = Area(0, 0, 0, 0)

    @property
    def square(self) -> Image:
        """Return the person in the square, (side, side, 4)."""
        x, y = self.corner
        return self.person[y : y + self.side, x : x + self.side]

    @property
    def window(self) -> Image:
        """Return the person in the square and half a side around it."""
        (x, y), half = self.corner, self.side // 2
        return self.person[y - half : y + self.side + half, x - half : x + self.side + half]


@dataclass(frozen=True, slots=True)
class Layer:
    """A moved person, to be put before a background.

    Attributes:
        image: (h, w, 3) colours.
        alpha: (h, w) bytes; None: an opaque square, of a model that does not separate person from background.
        corner: column and row of its first pixel in the square; negative to the left of it and above.
    """

    image: Image
    alpha: Image | None = None
    corner: tuple[int, int] = (0, 0)

    def on(self, scene: Scene | None, captured_at: float, avatar: str = "") -> Picture:
        """Return the picture of this layer."""
        return Picture(self.image, captured_at, avatar, self.alpha, self.corner, scene)


@dataclass(frozen=True, slots=True)
class Framing:
    """Position and size of the person in the frame, as the user wants.

    Attributes:
        zoom: enlarges the person, 0.5..2.
        pan_x, pan_y: to the right and down, in widths and heights of the frame.
        whole: show the whole photo; nothing is moved then.
    """

    zoom: float = 1.0
    pan_x: float = 0.0
    pan_y: float = 0.0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Avatar:
    """A portrait encoded for one engine: everything that depends on the photo alone.

    Attributes:
        key_points: the portrait's own key points.
        features: private to the engine that made it.
        scene: None for a model that does not separate person from background.
    """

    key_points: KeyPoints
    features: Any = field(repr=False)
    scene: Scene | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """A camera's picture.

    It must never leave the machine: outputs accept only what is made from a ``Picture``. ``captured_at`` is
    ``time.monotonic()`` in seconds.
    """

    image: Image
    captured_at: float
    index: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered avatar: it may leave, once it is on its canvas.

    Attributes:
        image, alpha, corner: as in `Layer`.
        avatar: the avatar shown.
        scene: the avatar's own; None with an opaque square.
    """

    image: Image
    captured_at: float
    avatar: str = ""
    alpha: Image | None = None
    corner: tuple[int, int] = (0, 0)
    scene: Scene | None = None

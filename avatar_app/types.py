"""The few values that cross module borders. Plain, frozen, numpy only."""

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
    """Key points of one face picture, in [-1, 1], x first, x = 2 * column / (width - 1) - 1.

    Attributes:
        value: (K, 2) positions.
        jacobian: (K, 2, 2) local affine frames (FOMM section 3.1), or None where the network estimates them itself.
        depth: (K,) in the unit of ``value``, smaller is nearer, or None for key points without depth.
        variance: (K, 2, 2) covariances of the heat maps (Monkey-Net), or None.
        code: (C,) what X2Face reads off a picture; ``value`` is then empty, and motion is always absolute.
    """

    value: Array
    jacobian: Array | None = None
    depth: Array | None = None
    variance: Array | None = None
    code: Array | None = None

    @property
    def parts(self) -> dict[str, Array]:
        """The arrays that are there, by name."""
        named = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: array for name, array in named if array is not None}


NO_POINTS: Array = np.zeros((0, 2), np.float32)
"""The ``value`` of key points that are a code alone."""


def key_points(parts: Mapping[str, Array]) -> KeyPoints:
    """Key points from their arrays by name."""
    return KeyPoints(**{"value": NO_POINTS, **parts})


def shape_of_part(name: str, count: int, size: int) -> tuple[int, ...]:
    """The shape that a part of ``count`` key points must have; of a code, which is free, that of its ``size`` numbers."""
    shapes = {"value": (count, 2), "jacobian": (count, 2, 2), "depth": (count,), "variance": (count, 2, 2)}
    return shapes.get(name, (size,))


def combine_key_points(function: Callable[..., Any], *points: KeyPoints) -> KeyPoints:
    """Key points of which each part is the function of that part of all given ones; parts that one of them lacks are left out."""
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
        score: 0..1, how sure the network is that this is a face.
    """

    points: Array
    score: float


@dataclass(frozen=True, slots=True)
class Box:
    """A square region of a picture, in pixels; it may reach beyond the picture's edges."""

    center_x: float
    center_y: float
    size: float


@dataclass(frozen=True, slots=True)
class Framing:
    """How the user frames their face.

    Attributes:
        follow: the crop follows the face; else it stays where it was first placed.
        zoom: enlarges the crop's content, 0.5..2.
        pan_x, pan_y: move the crop, in crop sides.
    """

    follow: bool = True
    zoom: float = 1.0
    pan_x: float = 0.0
    pan_y: float = 0.0


@dataclass(frozen=True, slots=True)
class Crop:
    """A square face picture as the networks were trained on.

    Attributes:
        image: (S, S, 3).
        landmarks: (88, 3) in [-1, 1] of the crop (z in the same unit), or None if no face was found in it.
    """

    image: Image
    landmarks: Array | None = None


@dataclass(frozen=True, slots=True)
class Avatar:
    """A portrait made ready for one engine: everything that depends on the photo alone.

    Attributes:
        key_points: the portrait's own key points.
        features: private to the engine that made it.
    """

    key_points: KeyPoints
    features: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the camera saw. It must never leave the machine: what outputs accept is made of a ``Picture``.

    ``captured_at`` is ``time.monotonic()`` in seconds.
    """

    image: Image
    captured_at: float
    index: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered avatar, (S, S, 3): what may leave, once it is on its canvas.

    Attributes:
        avatar: which one it shows.
    """

    image: Image
    captured_at: float
    avatar: str = ""

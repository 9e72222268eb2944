"""What a smile does to the light on a face: folds beside nose and mouth darken, cheeks and chin catch light. numpy and OpenCV.

Skin that is only moved keeps the light that it had in the photo, so that a serious photo would smile with its lips alone. What light does
was measured on many people, as the ratio of a smiling face to a serious one (expression ratio images: Liu, Shan and Zhang 2001). That map
is laid over each photo once, moved as the photo is, and counts as far as the pose smiles more than the photo; less, and folds fade.

`avatar_app.networks.anchored.creases` does the same for PyTorch, `avatar_app.training.creases` makes the map.
S is the picture's side, P landmarks are (P, 2) in [-1, 1], x first.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.teeth import FARTHEST, FLAT, STABLE, TO_CAMERA, around, wide
from avatar_app.types import Image

Floats = npt.NDArray[np.float32]
Plane = npt.NDArray[np.uint8]

FILE = Path(__file__).with_suffix(".npz")
"""The map (N, N), bytes, with ``NONE`` and ``STEP``; and its landmarks (P, 2) in [-1, 1] of it."""

NONE, STEP = 128, 0.25 / 127
"""Of the map: no change, and how much a step more is of the natural logarithm of light, for a whole smile."""

DEEPER = 1.2
"""Folds are not in the same place on all people: in the mean they are wider, and less deep."""

LEAST, MOST = -0.5, 1.0
"""Differences of smiles beyond these change no more."""

MARKS, DEPTHS = [48, 54, 51, 57, 33], (-0.17, -0.17, -0.55, -0.46, -0.56)
"""Corners of the mouth, middles of the outer lips, base of the nose; how far they are from the camera on the mean face."""

WEIGHTS = ((-0.99, -1.80), (0.99, -1.80), (0.0, 0.86), (0.0, 1.16), (0.0, 1.58))
"""Linear regression of smiles, 0 to 1 as an independent network tells them, on places of `MARKS` right of and below the middle of the mean
face, over 97 clips and 344 photos; made symmetrical. With people it was not made of it agrees by a correlation of 0.91; mean error 0.10."""

_WEIGHTS = np.array(WEIGHTS)

LOWER_FACE = [*range(17), *range(36, 48)]
"""Jaw and eyes: nothing changes above them."""

COARSE = 8
"""Pixels of the photo between two places at which the map's own is worked out."""


class Creases(NamedTuple):
    """Of a photo.

    Attributes:
        layer: (S, S), the map laid over it.
        smile: of its landmarks.
    """

    layer: Plane
    smile: float


@cache
def mean_creases() -> tuple[Plane, Floats]:
    """The map and its landmarks, as `FILE` has them."""
    with np.load(FILE) as found:
        return found["light"], found["points"]


def creases_of(still: Floats, side: int) -> Creases:
    """The map laid over a photo of ``side`` pixels with the landmarks ``still``."""
    light, points = mean_creases()
    few = max(side // COARSE, 2)
    line = np.linspace(-1, 1, few)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    places = thin_plate(still.astype(np.float64), points.astype(np.float64), grid).reshape(few, few, 2)
    # Corners of pixels match, as in `places`, so the few are resized by hand.
    step = np.linspace(0, few - 1, side, dtype=np.float32)
    columns, rows = np.meshgrid(step, step)
    fine = cv2.remap(
        places.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    at = (fine + 1) * ((len(light) - 1) / 2)
    layer = cv2.remap(
        light, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=NONE
    )
    return Creases(np.asarray(layer, np.uint8), smile_of(still))


def thin_plate(
    origin: npt.NDArray[np.float64], goal: npt.NDArray[np.float64], places: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Where places (N, 2) go when ``origin`` (K, 2) goes to ``goal``, bent as little as can be (thin-plate spline, Bookstein 1989).

    scipy has it too, for a fifth of a second of imports before the first picture.
    """
    # Landmarks on shut lids lie on one another: nearly the goal is enough.
    kernel = _bend(origin, origin) + 1e-3 * np.eye(len(origin))
    flat = np.column_stack([np.ones(len(origin)), origin])
    system = np.block([[kernel, flat], [flat.T, np.zeros((3, 3))]])
    weights = np.linalg.lstsq(system, np.concatenate([goal, np.zeros((3, 2))]), rcond=None)[0]
    return np.asarray(
        _bend(places, origin) @ weights[:-3] + np.column_stack([np.ones(len(places)), places]) @ weights[-3:]
    )


def _bend(places: npt.NDArray[np.float64], origin: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    squares = ((places[:, None] - origin) ** 2).sum(-1)
    return np.asarray(0.5 * squares * np.log(np.maximum(squares, 1e-12)))


def smile_of(points: Floats) -> float:
    """How much landmarks smile, but for a constant; from 0 to about 1 more than a serious face's."""
    camera = points[STABLE].T @ TO_CAMERA
    (a, b), (c, d) = camera[:, :2]
    across, down = (points[MARKS] - np.outer(DEPTHS, camera[:, 2])).T @ _WEIGHTS
    # The weighted sums of right and below that the inverse of [[a, b], [c, d]] makes of pixels' columns and rows.
    return float((d * across[0] - b * down[0] - c * across[1] + a * down[1]) / max(a * d - b * c, FLAT))


def smiles_more(creases: Creases, pose: Floats) -> float:
    """By how much a pose smiles more than the photo, as far as that counts."""
    return min(max(smile_of(pose) - creases.smile, LEAST), MOST)


def show_creases(picture: Image, creases: Creases, places: Floats, pose: Floats) -> None:
    """Let a picture (S, S, 3) be lit as its pose smiles, in place.

    Args:
        places: (2, S, S), column and row of the photo from which each pixel was moved.
        pose: (P, 2), landmarks.
    """
    box = (
        around(pose[LOWER_FACE], len(picture)) if (abs(pose) < FARTHEST).all() else None
    )  # nor is a place that is no number
    if box is None:
        return
    more = smiles_more(creases, pose)
    columns, rows = (line[box] for line in places)
    laid = cv2.remap(creases.layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    light = cv2.LUT(laid, np.exp(more * DEEPER * STEP * (np.arange(256) - NONE)).astype(np.float32))
    picture[box] = cv2.multiply(picture[box], wide(light), dtype=cv2.CV_8U)

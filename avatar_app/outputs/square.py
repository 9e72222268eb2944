"""A model's square picture as planes of its own size, before they are enlarged."""

from __future__ import annotations

import cv2
import numpy as np

from avatar_app.outputs.i420 import Plane
from avatar_app.types import Image

SMALL = 256
"""Side of pictures up to which each pixel's colour counts: a fourth of them, enlarged, would let lips redden the teeth."""

ALONE = 320 * 240
"""Pixels from which OpenCV calls its other threads. They would save 0.1 ms here and spend 0.4 of their own, mostly on waiting."""

LUMA, CHROMA = (219 / 255, 16.0), (224 / 255, 128 - 128 * 224 / 255)
"""Scale and shift of values from 0..255 to the range that calls expect."""


def square_planes(picture: Image) -> tuple[Plane, Plane, Plane]:
    """Luma of every pixel, (side, side), then U and V of that size or half of it."""
    side = len(picture)
    return _by_bands(picture) if side > SMALL and side % 4 == 0 else _whole(picture)


def _by_bands(picture: Image) -> tuple[Plane, Plane, Plane]:
    """As ``to_planes`` has it, chromas of half the side."""
    side = len(picture)
    rows = max(rows for rows in range(4, side + 1, 4) if side % rows == 0 and rows * side < ALONE)
    bands = np.empty(
        (side // rows, rows * 3 // 2, side), np.uint8
    )  # luma, U and V of some rows, then those of the next
    for band, into in zip(picture.reshape(-1, rows, side, 3), bands, strict=True):
        cv2.cvtColor(band, cv2.COLOR_RGB2YUV_I420, dst=into)
    half = (side // 2, side // 2)
    return (
        bands[:, :rows].reshape(side, side),
        bands[:, rows : rows * 5 // 4].reshape(half),
        bands[:, rows * 5 // 4 :].reshape(half),
    )


def _whole(picture: Image) -> tuple[Plane, Plane, Plane]:
    """Chromas of every pixel."""
    luma, red, blue = (
        np.asarray(plane, np.uint8) for plane in cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    )
    return _limited(luma, *LUMA), _limited(blue, *CHROMA), _limited(red, *CHROMA)


def _limited(plane: Plane, scale: float, shift: float) -> Plane:
    return np.asarray(cv2.convertScaleAbs(plane, alpha=scale, beta=shift), np.uint8)

"""Convert a model's picture to planes of its own size, before they are enlarged."""

from __future__ import annotations

import cv2
import numpy as np

from avatar_app.outputs.i420 import Plane
from avatar_app.types import Image

SMALL = 256
"""Side of pictures up to which chroma keeps full resolution: with half of it, enlarged, lips would redden the
teeth.
"""

ALONE = 320 * 240
"""Pixels from which OpenCV starts its other threads. They would save 0.1 ms here and use 0.4, mostly
waiting.
"""

LUMA, CHROMA = (219 / 255, 16.0), (224 / 255, 128 - 128 * 224 / 255)
"""Scale and shift of values from 0..255 to the range that calls expect."""


def layer_planes(picture: Image) -> tuple[Plane, Plane, Plane]:
    """Convert (h, w, 3) to luma, U and V; chromas of the same size or half of it."""
    height, width = picture.shape[:2]
    return _by_bands(picture) if height > SMALL and height % 4 == 0 and width % 2 == 0 else _whole(picture)


def _by_bands(picture: Image) -> tuple[Plane, Plane, Plane]:
    """Convert as ``to_planes`` does, with chromas of half the size."""
    height, width = picture.shape[:2]
    rows = max(
        (rows for rows in range(4, height + 1, 4) if height % rows == 0 and rows * width < ALONE), default=4
    )
    # Luma, U and V of some rows, then those of the next.
    bands = np.empty((height // rows, rows * 3 // 2, width), np.uint8)
    for band, into in zip(picture.reshape(-1, rows, width, 3), bands, strict=True):
        cv2.cvtColor(band, cv2.COLOR_RGB2YUV_I420, dst=into)
    half = (height // 2, width // 2)
    return (
        bands[:, :rows].reshape(height, width),
        bands[:, rows : rows * 5 // 4].reshape(half),
        bands[:, rows * 5 // 4 :].reshape(half),
    )


def _whole(picture: Image) -> tuple[Plane, Plane, Plane]:
    """Convert with chromas of full size."""
    luma, red, blue = (
        np.asarray(plane, np.uint8) for plane in cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    )
    return _limited(luma, *LUMA), _limited(blue, *CHROMA), _limited(red, *CHROMA)


def _limited(plane: Plane, scale: float, shift: float) -> Plane:
    return np.asarray(cv2.convertScaleAbs(plane, alpha=scale, beta=shift), np.uint8)

"""Small operations on pictures and planes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.types import Image

Floats = npt.NDArray[np.float32]


ENOUGH = 4.0
"""Standard deviation of a blur, in pixels, from which half the rows and columns look the same."""


def smooth(values: Any, across: float, down: float | None = None) -> Any:
    """Blur by standard deviations in pixels; wide blurs on a reduced copy."""
    down = down or across
    fewer = int(min(across, down) / ENOUGH)
    if fewer < 2:
        return cv2.GaussianBlur(values, (0, 0), across, sigmaY=down, borderType=cv2.BORDER_REPLICATE)
    height, width = values.shape[:2]
    size = -(-width // fewer), -(-height // fewer)
    few = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(smooth(few, across * size[0] / width, down * size[1] / height), (width, height))


def grown(mask: npt.NDArray[np.bool_], by: int) -> npt.NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def highest(picture: Any) -> Any:
    """Return the largest of each pixel's three values.

    15 to 40 times as fast as ``max(2)``.
    """
    return np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2])


def to_bytes(picture: Floats) -> Image:
    return np.asarray(picture.round().clip(0, 255), np.uint8)

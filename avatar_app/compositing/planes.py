"""Small operations on pictures and planes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.types import Image

Floats = npt.NDArray[np.float32]


def smooth(values: Any, across: float, down: float | None = None) -> Any:
    return cv2.GaussianBlur(values, (0, 0), across, sigmaY=down or across, borderType=cv2.BORDER_REPLICATE)


def grown(mask: npt.NDArray[np.bool_], by: int) -> npt.NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def to_bytes(picture: Floats) -> Image:
    return np.asarray(picture.round().clip(0, 255), np.uint8)

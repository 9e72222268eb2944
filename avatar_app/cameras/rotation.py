"""Rotate pictures by quarter turns."""

from __future__ import annotations

import cv2
import numpy as np

from avatar_app.types import Image

CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turned(image: Image, degrees: int) -> Image:
    """Rotate a picture clockwise by 0, 90, 180 or 270 degrees."""
    return np.asarray(cv2.rotate(image, CODES[degrees]), np.uint8) if degrees else image

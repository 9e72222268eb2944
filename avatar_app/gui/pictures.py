"""Convert numpy pictures to Qt images."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage

from avatar_app.types import Image


def to_qimage(image: Image) -> QImage:
    """Return a copy that owns its pixels: numpy's may change while Qt paints."""
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    return QImage(image.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()

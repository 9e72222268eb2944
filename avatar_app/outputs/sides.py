"""Make what is beside the square: a colour, a picture, or its blurred extension.

All in RGB, and made once.
"""

from __future__ import annotations

import re

import cv2
import numpy as np

from avatar_app.errors import OutputError, PortraitError
from avatar_app.files import expanded
from avatar_app.media.photo import read_portrait
from avatar_app.text import Text
from avatar_app.types import Image

EDGE = 0.1
"""Fraction of the picture's side from which its blurred extension is made; more would double the face."""


def read_background(background: str, size: tuple[int, int]) -> Image:
    """Return a colour given as ``#rrggbb``, or the picture of this path.

    The picture has a canvas's (width, height). Raises OutputError.
    """
    if background.startswith("#"):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", background):
            raise OutputError(
                Text("The background {} is not a colour.", background),
                Text("Write it as #rrggbb, such as #203040."),
            )
        canvas = np.empty((size[1], size[0], 3), np.uint8)
        canvas[:] = [int(background[start : start + 2], 16) for start in (1, 3, 5)]
        return canvas
    try:
        return cover(read_portrait(expanded(background)), size)
    except PortraitError as problem:
        message = Text("The background cannot be used: {}", problem.message)
        raise OutputError(
            message, Text('Choose a JPEG or PNG file, a colour such as #203040, "photo" or "blur".')
        ) from None


def cover(image: Image, size: tuple[int, int]) -> Image:
    """Scale the largest middle part of an image that has the canvas's shape."""
    width, height = size
    rows, columns = image.shape[:2]
    scale = max(width / columns, height / rows)
    part_rows, part_columns = min(rows, round(height / scale)), min(columns, round(width / scale))
    top, left = (rows - part_rows) // 2, (columns - part_columns) // 2
    part = image[top : top + part_rows, left : left + part_columns]
    # Averaging takes nine times as long, and a 1080p camera on a 720p canvas does not need it.
    method = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, size, interpolation=method), np.uint8)


def blurred_extension(picture: Image, size: tuple[int, int]) -> Image:
    """Continue the picture to both sides, blurred.

    Its outermost parts are mirrored, stretched, blurred, and darkened outwards; in an upright frame above and
    below. All is done on a small copy; a blur needs no more pixels.
    """
    if size[1] > size[0]:
        lying = blurred_extension(np.ascontiguousarray(picture.transpose(1, 0, 2)), (size[1], size[0]))
        return np.ascontiguousarray(lying.transpose(1, 0, 2))
    height = 90
    width = round(height * size[0] / size[1])
    small = cv2.resize(picture, (height, height), interpolation=cv2.INTER_AREA)
    edge = round(height * EDGE)
    left, right = (width - height) // 2, width - height - (width - height) // 2
    wide = np.empty((height, width, 3), np.uint8)
    wide[:, left : left + height] = small
    if right:
        wide[:, :left] = cv2.resize(small[:, edge::-1], (left, height)) if left else 0
        wide[:, left + height :] = cv2.resize(small[:, : -edge - 1 : -1], (right, height))
    soft = cv2.GaussianBlur(wide, (0, 0), height / 14)
    outward = np.clip(
        (np.abs(np.linspace(-1, 1, width)) - height / width) / max(1 - height / width, 1e-6), 0, 1
    )
    dark = soft * (0.96 - 0.36 * outward)[None, :, None]
    return np.asarray(
        cv2.resize(dark.astype(np.float32), size, interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8
    )

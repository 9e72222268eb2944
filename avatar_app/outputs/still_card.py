"""Draw the still card, which the call sees when there is no avatar to show."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageChops, ImageDraw, ImageFont

from avatar_app.outputs.i420 import Planes, to_planes
from avatar_app.types import Image

LINE = "Camera is starting"
LINES = {
    "paused": "Camera is paused",
    **dict.fromkeys(("no-camera", "fault", "stale"), "Camera is reconnecting"),
}
"""Reason -> text; others have ``LINE``."""

TOP, BOTTOM = (46.0, 54.0, 68.0), (24.0, 28.0, 37.0)
DISC, FIGURE, TEXT = (58, 67, 83), (104, 117, 138), (206, 213, 224)
SCALE = 2
"""Factor by which it is drawn larger and reduced, for smooth edges."""


def still_card(size: tuple[int, int], reason: str = "") -> Planes:
    """Return the card's planes, read-only, drawn and converted once.

    Args:
        size: (width, height), even.
        reason: as ``Status.reason``. The card only says that others have to wait, not what is wrong.
    """
    return _draw(size, LINES.get(reason, LINE))


@lru_cache(maxsize=8)
def _draw(size: tuple[int, int], line: str) -> Planes:
    width, height = size
    card = _wordless(size).copy()
    font = ImageFont.load_default(size=min(size) * 0.05 * SCALE)
    top, bottom = round(height * 0.7), round(height * 0.9)
    spot = (width / 2 * SCALE, (height * 0.8 - top) * SCALE)
    text = _mask((width, bottom - top), lambda draw: draw.text(spot, line, font=font, anchor="mm", fill=255))
    card.paste(TEXT, (0, top), text)
    drawn = to_planes(np.asarray(card))
    drawn.flags.writeable = False
    return drawn


@lru_cache(maxsize=1)
def _wordless(size: tuple[int, int]) -> Pillow.Image:
    """Draw what all cards of a size have in common."""
    (width, height), unit = size, min(size)
    card = Pillow.fromarray(_ground(width, height))
    x, y, radius = width / 2, height * 0.42, unit * 0.25
    disc = _mask(size, lambda draw: draw.ellipse(_around(x, y, radius, radius), fill=255))
    figure = _mask(size, lambda draw: _figure(draw, x, y, radius))
    card.paste(DISC, mask=disc)
    card.paste(FIGURE, mask=ImageChops.multiply(figure, disc))
    return card


def _mask(size: tuple[int, int], paint: Callable[[ImageDraw.ImageDraw], None]) -> Pillow.Image:
    """Draw by ``paint`` at ``SCALE`` times the size, and reduce for smooth edges."""
    large = Pillow.new("L", (size[0] * SCALE, size[1] * SCALE), 0)
    paint(ImageDraw.Draw(large))
    return large.resize(size, Pillow.Resampling.BOX)


def _ground(width: int, height: int) -> Image:
    """Draw a gradient, lighter behind the figure; slight noise hides its steps."""
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None]
    glow = np.exp(-((columns * width / height / 0.9) ** 2)) * np.exp(-(((rows - 0.4) / 0.45) ** 2))
    mix = np.clip(rows * 0.9 - glow * 0.35 + 0.1, -0.3, 1)
    noise = np.empty_like(mix)
    cv2.randu(noise, np.array([-0.5]), np.array([0.5]))
    channels = [top + (bottom - top) * mix + noise for top, bottom in zip(TOP, BOTTOM, strict=True)]
    return np.asarray(cv2.merge(channels).round().clip(0, 255), np.uint8)


def _figure(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    """Draw head and shoulders that fit a disc.

    The caller cuts off what is outside of it.
    """
    draw.ellipse(_around(x, y - radius * 0.22, radius * 0.34, radius * 0.40), fill=255)
    draw.ellipse(_around(x, y + radius * 1.02, radius * 0.78, radius * 0.68), fill=255)


def _around(x: float, y: float, half_width: float, half_height: float) -> tuple[float, float, float, float]:
    """Return the bounding box of an ellipse on the enlarged mask.

    Its last row and column count as inside.
    """
    left, top, right, bottom = x - half_width, y - half_height, x + half_width, y + half_height
    return left * SCALE, top * SCALE, right * SCALE - 1, bottom * SCALE - 1

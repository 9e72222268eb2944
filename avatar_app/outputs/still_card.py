"""Draw the still card, which the call sees when there is no avatar to show."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

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

TOP, BOTTOM = np.array([46.0, 54.0, 68.0]), np.array([24.0, 28.0, 37.0])
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
    unit = min(size)
    card = Pillow.fromarray(_ground(width, height))
    disc = _mask(
        size, lambda draw: draw.ellipse(_around(width / 2, height * 0.42, unit * 0.25, unit * 0.25), fill=255)
    )
    figure = _mask(size, lambda draw: _figure(draw, width / 2, height * 0.42, unit * 0.25))
    font = ImageFont.load_default(size=unit * 0.05 * SCALE)
    spot = (width / 2 * SCALE, height * 0.8 * SCALE)
    text = _mask(size, lambda draw: draw.text(spot, line, font=font, anchor="mm", fill=255))
    card.paste(DISC, mask=disc)
    card.paste(FIGURE, mask=ImageChops.multiply(figure, disc))
    card.paste(TEXT, mask=text)
    drawn = to_planes(np.asarray(card))
    drawn.flags.writeable = False
    return drawn


def _mask(size: tuple[int, int], paint: Callable[[ImageDraw.ImageDraw], None]) -> Pillow.Image:
    """Draw by ``paint`` at ``SCALE`` times the size, and reduce for smooth edges."""
    large = Pillow.new("L", (size[0] * SCALE, size[1] * SCALE), 0)
    paint(ImageDraw.Draw(large))
    return large.resize(size, Pillow.Resampling.BOX)


def _ground(width: int, height: int) -> Image:
    """Draw a gradient, lighter behind the figure; slight noise hides its steps."""
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    glow = np.exp(-((columns * width / height / 0.9) ** 2)) * np.exp(-(((rows - 0.4) / 0.45) ** 2))
    mix = np.clip(rows * 0.9 - glow * 0.35 + 0.1, -0.3, 1)[..., None]
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (height, width, 1))
    return np.asarray((TOP + (BOTTOM - TOP) * mix + noise).round().clip(0, 255), np.uint8)


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

"""Draw the tag "AI avatar" into the corner of outgoing pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from avatar_app.outputs.i420 import Plane, Planes, split, to_planes
from avatar_app.types import Image

LABEL = "AI avatar"


class Label:
    """A small tag in the lower left corner of canvases of one size, drawn once."""

    def __init__(self, size: tuple[int, int]) -> None:
        height = size[1]
        tag, margin = draw_label(round(height * 0.045)), round(height * 0.03)
        top, left = height - margin - tag.shape[0], margin
        # At an even position and of even size, since a chroma pixel covers two by two; transparent at its
        # edges.
        around = [
            (start % 2, (start + length) % 2)
            for start, length in zip((top, left), tag.shape[:2], strict=True)
        ]
        tag = np.pad(tag, [*around, (0, 0)])
        parts = split(to_planes(np.ascontiguousarray(tag[..., :3])))
        self._parts = [
            _Part(part, tag[::step, ::step, 3], (top // 2 * 2 // step, left // 2 * 2 // step))
            for part, step in zip(parts, (1, 2, 2), strict=True)
        ]

    def draw(self, planes: Planes) -> None:
        for part, plane in zip(self._parts, split(planes), strict=True):
            part.draw(plane)


class _Part:
    """The tag in one plane.

    Args:
        alpha: of ``part``'s shape, 0..255.
        corner: row and column of its upper left pixel in the plane.
    """

    def __init__(self, part: Plane, alpha: Plane, corner: tuple[int, int]) -> None:
        self._spot = tuple(
            slice(start, start + length) for start, length in zip(corner, part.shape, strict=True)
        )
        weight = alpha.astype(np.uint16)
        self._front: npt.NDArray[np.uint16] = part * weight + 127
        self._rest: npt.NDArray[np.uint16] = 255 - weight

    def draw(self, plane: Plane) -> None:
        spot = plane[self._spot]
        spot[:] = (self._front + spot * self._rest) // 255


def draw_label(height: int) -> Image:
    """Draw the tag "AI avatar", ``height`` pixels high, as RGBA (height, W, 4)."""
    scale = 4  # drawn larger and reduced, for smooth edges
    font = ImageFont.load_default(size=height * scale * 0.58)
    width = round(font.getlength(LABEL)) + height * scale
    tag = Pillow.new("RGBA", (width, height * scale), (18, 20, 26, 0))
    draw = ImageDraw.Draw(tag)
    draw.rounded_rectangle(
        (0, 0, width - 1, height * scale - 1), radius=height * scale // 2, fill=(18, 20, 26, 165)
    )
    draw.text((width / 2, height * scale / 2), LABEL, font=font, anchor="mm", fill=(255, 255, 255, 240))
    return np.asarray(tag.resize((width // scale, height), Pillow.Resampling.LANCZOS))

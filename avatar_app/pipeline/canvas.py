"""The square avatar picture on a canvas of the shape that calls expect."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from avatar_app.errors import OutputError, PortraitError
from avatar_app.portrait import read_portrait
from avatar_app.types import Image

FEATHER = 0.03
"""Share of the square's side over which each of its upright edges fades into the background."""

EDGE = 0.1
"""Share of the picture's side that its blurred extension is made of; more of it would double the face."""

LABEL = "AI avatar"

Columns = npt.NDArray[np.uint16]


class Canvas:
    """Places pictures. One thread.

    Args:
        size: (width, height) of the canvas, width >= height.
        background: what is left and right of the square: ``blur`` for its own blurred extension, a colour as ``#rrggbb``, or the path of
            a picture.
        mirror: mirror what is shown, but not the label.
        label: write "AI avatar" in the lower left corner.

    Raises:
        OutputError: the colour is malformed or the picture cannot be read.
    """

    def __init__(self, size: tuple[int, int], background: str, mirror: bool = False, label: bool = False) -> None:
        width, height = size
        if width < height:
            raise ValueError(f"a canvas is no higher than wide, not {size}")
        self._size = size
        self._mirror = mirror
        self._left = (width - height) // 2
        self._is_blur = background == "blur"
        self._label = _Label(height) if label else None
        self._background: Image | None = None
        self._edges: list[_Edge] = []
        if not self._is_blur:
            self._set_background(_read_background(background, size))

    def reset(self) -> None:
        """Another avatar comes: take a blurred background from its first picture."""
        if self._is_blur:
            self._background = None

    def compose(self, picture: Image) -> Image:
        """A new array (height, width, 3) with the square ``picture`` at full height in the middle."""
        height = self._size[1]
        right = self._left + height
        if self._mirror:
            picture = np.asarray(cv2.flip(picture, 1), np.uint8)
        background = self._background
        if background is None:
            background = self._set_background(_blurred_extension(picture, self._size))
        canvas = np.empty_like(background)  # new, because the preview and a recording still look at the last one
        canvas[:, : self._left], canvas[:, right:] = background[:, : self._left], background[:, right:]
        square = canvas[:, self._left : right]
        cv2.resize(picture, (height, height), dst=square, interpolation=cv2.INTER_CUBIC)
        for edge in self._edges:
            edge.fade(square)
        if self._label:
            self._label.draw(canvas)
        return canvas

    def compose_wide(self, image: Image) -> Image:
        """A new array (height, width, 3) filled with an image of any shape, whose longer sides are cut. It is no avatar: no label."""
        filled = _cover(image, self._size)
        return np.asarray(cv2.flip(filled, 1), np.uint8) if self._mirror else filled

    def _set_background(self, background: Image) -> Image:
        """The upright edges of the square fade into what is behind them."""
        width, height = self._size
        fade = round(height * FEATHER) if width > height else 0
        weight = (np.arange(1, fade + 1) * 256 // (fade + 1)).astype(np.uint16)
        behind = background[:, self._left : self._left + height]
        self._edges = [_Edge(slice(0, fade), weight, behind), _Edge(slice(-fade, None), weight[::-1], behind)] if fade else []
        self._background = background
        return background


class _Edge:
    """Mixes one edge of the square with what is behind it.

    Args:
        weight: share of the square in each column, 0..256.
    """

    def __init__(self, columns: slice, weight: Columns, behind: Image) -> None:
        self._columns = columns
        # A value for each channel: repeated over them by numpy, the multiplication takes three times as long.
        self._weight = np.ascontiguousarray(np.broadcast_to(weight[None, :, None], (1, len(weight), 3)))
        self._behind = behind[:, columns] * (256 - self._weight)

    def fade(self, square: Image) -> None:
        front = square[:, self._columns]
        mixed = front * self._weight
        mixed += self._behind
        np.right_shift(mixed, 8, out=front, casting="unsafe")


class _Label:
    """A small tag in the lower left corner, drawn once."""

    def __init__(self, height: int) -> None:
        tag = draw_label(round(height * 0.045))
        self._margin = round(height * 0.03)
        self._alpha = tag[..., 3:].astype(np.uint16)
        self._color = (tag[..., :3].astype(np.uint16) * self._alpha + 128) // 255

    def draw(self, canvas: Image) -> None:
        rows, columns = self._alpha.shape[:2]
        spot = canvas[-self._margin - rows : -self._margin, self._margin : self._margin + columns]
        spot[:] = self._color + spot * (255 - self._alpha) // 255


def draw_label(height: int) -> Image:
    """The tag "AI avatar", ``height`` pixels high, as RGBA (height, W, 4)."""
    scale = 4  # drawn larger and reduced, for smooth edges
    font = ImageFont.load_default(size=height * scale * 0.58)
    width = round(font.getlength(LABEL)) + height * scale
    tag = Pillow.new("RGBA", (width, height * scale), (18, 20, 26, 0))
    draw = ImageDraw.Draw(tag)
    draw.rounded_rectangle((0, 0, width - 1, height * scale - 1), radius=height * scale // 2, fill=(18, 20, 26, 165))
    draw.text((width / 2, height * scale / 2), LABEL, font=font, anchor="mm", fill=(255, 255, 255, 240))
    return np.asarray(tag.resize((width // scale, height), Pillow.Resampling.LANCZOS))


def _read_background(background: str, size: tuple[int, int]) -> Image:
    if background.startswith("#"):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", background):
            raise OutputError(f"The background {background} is no colour.", "Write it as #rrggbb, such as #203040.")
        canvas = np.empty((size[1], size[0], 3), np.uint8)
        canvas[:] = [int(background[start : start + 2], 16) for start in (1, 3, 5)]
        return canvas
    try:
        return _cover(read_portrait(Path(background).expanduser()), size)
    except PortraitError as problem:
        message = f"The background cannot be used: {problem.message.rstrip('.')}."
        raise OutputError(message, 'Choose a JPEG or PNG file, a colour such as #203040, or "blur".') from None


def _cover(image: Image, size: tuple[int, int]) -> Image:
    """The largest middle part of an image that has the canvas's shape, scaled to it."""
    width, height = size
    rows, columns = image.shape[:2]
    scale = max(width / columns, height / rows)
    part_rows, part_columns = min(rows, round(height / scale)), min(columns, round(width / scale))
    top, left = (rows - part_rows) // 2, (columns - part_columns) // 2
    part = image[top : top + part_rows, left : left + part_columns]
    # Averaging takes nine times as long; a 1080p camera on a 720p canvas does without.
    method = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, size, interpolation=method), np.uint8)


def _blurred_extension(picture: Image, size: tuple[int, int]) -> Image:
    """The picture continued to both sides: its outermost parts mirrored, stretched, blurred, and darker the farther out.

    All is done on a small copy; a blur needs no more pixels.
    """
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
    outward = np.clip((np.abs(np.linspace(-1, 1, width)) - height / width) / max(1 - height / width, 1e-6), 0, 1)
    dark = soft * (0.96 - 0.36 * outward)[None, :, None]
    return np.asarray(cv2.resize(dark.astype(np.float32), size, interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)

"""List the pixel formats of a V4L2 camera without starting it. Linux."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

from avatar_app import v4l2
from avatar_app.text import Text

ENOUGH = 64
"""Limit of entries, more than any camera has: a driver's list may have no end."""

Ask = Callable[[int, struct.Struct, tuple[object, ...]], tuple[object, ...]]
"""From a request, its structure and values to values; raises OSError at the end of a list."""


def camera_formats(path: str) -> list[str]:
    """Return lines such as ``MJPG up to 1920 x 1080``; empty if unknown."""
    with suppress(OSError), v4l2.opened(path) as device:
        return list(read_formats(lambda request, shape, values: v4l2.ask(device, request, shape, *values)))
    return []


def read_formats(ask: Ask) -> Iterator[str]:
    """Return one line for each pixel format, with the largest size."""
    with suppress(OSError):
        for index in range(ENOUGH):
            *_, code, _ = ask(
                v4l2.ENUM_FORMATS, v4l2.FORMAT_ENTRY, (index, v4l2.CAPTURE_STREAM, 0, b"", 0, 0)
            )
            assert isinstance(code, int)
            name = struct.pack("=I", code & 0x7FFF_FFFF).decode("ascii", "replace").strip()
            sizes = list(_sizes(ask, code))
            yield Text("{} up to {} x {}", name, *max(sizes)[1:]) if sizes else name


def _sizes(ask: Ask, code: int) -> Iterator[tuple[int, int, int]]:
    """Yield pixels, width and height of each size; of a range the largest."""
    with suppress(OSError):
        for index in range(ENOUGH):
            _, _, kind, *numbers = ask(v4l2.ENUM_SIZES, v4l2.SIZE_ENTRY, (index, code, 0, *[0] * 6))
            width, height = (numbers[0], numbers[1]) if kind == v4l2.DISCRETE else (numbers[1], numbers[4])
            assert isinstance(width, int)
            assert isinstance(height, int)
            yield width * height, width, height
            if kind != v4l2.DISCRETE:
                return

"""What pictures a V4L2 camera offers. Linux; asking does not start the camera."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

ENUM_FORMATS = 0xC0405602
FORMAT = struct.Struct("=III32sII12x")
"""VIDIOC_ENUM_FMT and struct v4l2_fmtdesc: index, type, flags, description, pixel format, bus code."""

ENUM_SIZES = 0xC02C564A
SIZE = struct.Struct("=III6I8x")
"""VIDIOC_ENUM_FRAMESIZES and struct v4l2_frmsizeenum: index, pixel format, type, then width and height, or the least width, the
greatest, the step, and the same of the height."""

CAPTURE, DISCRETE = 1, 1
ENOUGH = 64
"""More entries than any camera has; a driver that never ends its list must not hold us."""

Ask = Callable[[int, struct.Struct, tuple[object, ...]], tuple[object, ...]]
"""Request, its structure and values in, values out; raises OSError at the end of a list."""


def camera_formats(path: str) -> list[str]:
    """Such as ``MJPG up to 1920 x 1080``; empty where the device does not tell."""
    import fcntl

    def ask(request: int, shape: struct.Struct, values: tuple[object, ...]) -> tuple[object, ...]:
        return shape.unpack(fcntl.ioctl(device, request, shape.pack(*values)))

    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        return list(read_formats(ask))
    finally:
        os.close(device)


def read_formats(ask: Ask) -> Iterator[str]:
    """One line for each pixel format, with the largest size."""
    with suppress(OSError):
        for index in range(ENOUGH):
            *_, code, _ = ask(ENUM_FORMATS, FORMAT, (index, CAPTURE, 0, b"", 0, 0))
            assert isinstance(code, int)
            name = struct.pack("=I", code & 0x7FFF_FFFF).decode("ascii", "replace").strip()
            sizes = list(_sizes(ask, code))
            yield f"{name} up to {max(sizes)[1]} x {max(sizes)[2]}" if sizes else name


def _sizes(ask: Ask, code: int) -> Iterator[tuple[int, int, int]]:
    """Pixels, width and height of each size; of a range the largest."""
    with suppress(OSError):
        for index in range(ENOUGH):
            _, _, kind, *numbers = ask(ENUM_SIZES, SIZE, (index, code, 0, *[0] * 6))
            width, height = (numbers[0], numbers[1]) if kind == DISCRETE else (numbers[1], numbers[4])
            assert isinstance(width, int)
            assert isinstance(height, int)
            yield width * height, width, height
            if kind != DISCRETE:
                return

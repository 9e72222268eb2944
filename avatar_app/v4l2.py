"""What the app asks of Linux video devices.

The kernel's requests and structures (linux/videodev2.h, 64 bits), in one file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOPBACK = "v4l2 loopback"
"""Name of the driver of virtual cameras."""

QUERY_CAPABILITIES = 0x80685600
CAPABILITIES = struct.Struct("=16s32s32sIII12x")
"""VIDIOC_QUERYCAP and struct v4l2_capability: driver, card, bus, version, capabilities, those of this
node."""

CAPTURE, OUTPUT, CAPTURE_PLANES, MEDIA_CONTROLLER = 0x1, 0x2, 0x1000, 0x2000_0000
"""V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_OUTPUT, V4L2_CAP_VIDEO_CAPTURE_MPLANE, V4L2_CAP_IO_MC."""

START_STREAM, CAPTURE_STREAM, OUTPUT_STREAM = 0x40045612, 1, 2
"""VIDIOC_STREAMON, and the kinds of stream that a reader and a writer have."""

GET_FORMAT = 0xC0D05604
FORMAT = struct.Struct("I4xII4s188x")
"""VIDIOC_G_FMT and struct v4l2_format: kind of stream, width, height, pixel format."""

ENUM_FORMATS = 0xC0405602
FORMAT_ENTRY = struct.Struct("=III32sII12x")
"""VIDIOC_ENUM_FMT and struct v4l2_fmtdesc: index, kind of stream, flags, description, pixel format, bus
code."""

ENUM_SIZES = 0xC02C564A
SIZE_ENTRY = struct.Struct("=III6I8x")
"""VIDIOC_ENUM_FRAMESIZES and struct v4l2_frmsizeenum: index, pixel format, type, then width and height, or
the least width, the greatest, the step, and the same of the height."""

DISCRETE = 1
"""Type of an entry of ENUM_SIZES that is one size."""


SUBSCRIBE_EVENT = 0x4020565A
SUBSCRIPTION = struct.Struct("=III20x")
"""VIDIOC_SUBSCRIBE_EVENT and struct v4l2_event_subscription: type, id, flags."""

SEND_INITIAL = 1
"""V4L2_EVENT_SUB_FL_SEND_INITIAL: how things are now is the first event."""

NEXT_EVENT = 0x80885659
EVENT = struct.Struct("=I4xI124x")
"""VIDIOC_DQEVENT and struct v4l2_event: type, and the first four bytes of what it carries."""

CLIENT_USAGE = 0x0800_0000 + 0x08E0_0000 + 1
"""V4L2_EVENT_PRI_CLIENT_USAGE of v4l2loopback: how many read from the device."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a device told."""

    kind: int
    value: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a device says of itself; ``flags`` are those of this one node."""

    driver: str
    card: str
    flags: int


@contextmanager
def opened(path: str | Path, flags: int = os.O_RDWR) -> Iterator[int]:
    """Open a device without waiting for it. Raises OSError."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    try:
        yield handle
    finally:
        os.close(handle)


def ask(handle: int, request: int, shape: struct.Struct, *values: Any) -> tuple[Any, ...]:
    """Send a request with a structure, zeros where no values are given.

    Returns the answer. Raises OSError.
    """
    import fcntl

    return shape.unpack(fcntl.ioctl(handle, request, shape.pack(*values) if values else bytes(shape.size)))


def query(handle: int) -> Capabilities:
    """Ask an open device what it is. Raises OSError where it is not a video device."""
    driver, card, _, _, whole, node = ask(handle, QUERY_CAPABILITIES, CAPABILITIES)
    return Capabilities(_text(driver), _text(card), node or whole)


def start_stream(handle: int, kind: int) -> None:
    """Start a stream of the open device. Raises OSError."""
    import fcntl

    fcntl.ioctl(handle, START_STREAM, struct.pack("i", kind))


def subscribe(handle: int, kind: int) -> None:
    """Ask for events of a kind. Raises OSError.

    The first one says how things are.
    """
    ask(handle, SUBSCRIBE_EVENT, SUBSCRIPTION, kind, 0, SEND_INITIAL)


def events(handle: int) -> Iterator[Event]:
    """What a device that was opened without waiting has told since."""
    with suppress(OSError):  # ENOENT: nothing more
        while True:
            yield Event(*ask(handle, NEXT_EVENT, EVENT))


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode(errors="replace")

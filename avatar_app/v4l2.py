"""Requests to Linux video devices (linux/videodev2.h, 64 bits)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOPBACK = "v4l2 loopback"
"""Driver name of virtual cameras."""

QUERY_CAPABILITIES = 0x80685600
CAPABILITIES = struct.Struct("=16s32s32sIII12x")
"""VIDIOC_QUERYCAP and struct v4l2_capability: driver, card, bus, version, capabilities, those of this
node."""

CAPTURE, OUTPUT, CAPTURE_PLANES, MEDIA_CONTROLLER = 0x1, 0x2, 0x1000, 0x2000_0000
"""V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_OUTPUT, V4L2_CAP_VIDEO_CAPTURE_MPLANE, V4L2_CAP_IO_MC."""

START_STREAM, CAPTURE_STREAM, OUTPUT_STREAM = 0x40045612, 1, 2
"""VIDIOC_STREAMON, and the kinds of stream of a reader and a writer."""

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
"""Type of an entry of ENUM_SIZES for a single size."""


SUBSCRIBE_EVENT = 0x4020565A
SUBSCRIPTION = struct.Struct("=III20x")
"""VIDIOC_SUBSCRIBE_EVENT and struct v4l2_event_subscription: type, id, flags."""

SEND_INITIAL = 1
"""V4L2_EVENT_SUB_FL_SEND_INITIAL: the current state is the first event."""

NEXT_EVENT = 0x80885659
EVENT = struct.Struct("=I4xI124x")
"""VIDIOC_DQEVENT and struct v4l2_event: type, and the first four bytes of its data."""

CLIENT_USAGE = 0x0800_0000 + 0x08E0_0000 + 1
"""V4L2_EVENT_PRI_CLIENT_USAGE of v4l2loopback: number of readers of the device."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a device."""

    kind: int
    value: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A device's description; ``flags`` are those of this one node."""

    driver: str
    card: str
    flags: int


@contextmanager
def opened(path: str | Path, flags: int = os.O_RDWR) -> Iterator[int]:
    """Open a device without blocking. Raises OSError."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    try:
        yield handle
    finally:
        os.close(handle)


def ask(handle: int, request: int, shape: struct.Struct, *values: Any) -> tuple[Any, ...]:
    """Send a request with a structure, zeros by default; return the answer.

    Raises OSError.
    """
    import fcntl

    return shape.unpack(fcntl.ioctl(handle, request, shape.pack(*values) if values else bytes(shape.size)))


def query(handle: int) -> Capabilities:
    """Query an open device. Raises OSError if it is not a video device."""
    driver, card, _, _, whole, node = ask(handle, QUERY_CAPABILITIES, CAPABILITIES)
    return Capabilities(_text(driver), _text(card), node or whole)


def start_stream(handle: int, kind: int) -> None:
    """Start a stream of the open device. Raises OSError."""
    import fcntl

    fcntl.ioctl(handle, START_STREAM, struct.pack("i", kind))


def subscribe(handle: int, kind: int) -> None:
    """Subscribe to events of a kind. Raises OSError.

    The first one reports the current state.
    """
    ask(handle, SUBSCRIBE_EVENT, SUBSCRIPTION, kind, 0, SEND_INITIAL)


def events(handle: int) -> Iterator[Event]:
    """Return the new events of a device that was opened without blocking."""
    with suppress(OSError):  # ENOENT: no more events
        while True:
            yield Event(*ask(handle, NEXT_EVENT, EVENT))


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode(errors="replace")

"""Query v4l2loopback, the kernel's virtual cameras, beyond pyvirtualcam. Linux."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from avatar_app import v4l2
from avatar_app.v4l2 import CAPTURE, OUTPUT

I420 = b"YU12"
"""The kernel's name of the pixel format written here."""

TAKEN_BACK = 0.4
"""Seconds within which a program that writes to a camera has written again: this one does so every 0.3
seconds at its slowest.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A driver's description of its device.

    A camera has the capability ``CAPTURE``, a screen ``OUTPUT``.
    """

    driver: str
    capabilities: int

    def is_exclusive(self, possible: bool) -> bool | None:
        """Return whether a device is never both input and output; None: perhaps now.

        For a while it can be both: when a writer has left and a call still reads.

        Args:
            possible: some device of the module is exclusive.
        """
        if self.capabilities & (CAPTURE | OUTPUT) != CAPTURE | OUTPUT:
            return True
        return None if possible else False


def ask(path: Path) -> Answer | None:
    """Query a device; None if it may not be opened or is not a video device."""
    with suppress(OSError), v4l2.opened(path, os.O_RDONLY) as handle:
        found = v4l2.query(handle)
        return Answer(found.driver, found.flags)
    return None


def release(path: Path) -> bool:
    """Make a device without a writer ready to be opened; return False if it has one."""
    if offers_output(path):
        return True
    end_stream(path)
    time.sleep(TAKEN_BACK)  # a real writer takes the device back with its next picture
    return offers_output(path)


def offers_output(path: Path) -> bool:
    """Whether a device can be opened for writing, or does not say."""
    answer = ask(path)
    return answer is None or bool(answer.capabilities & OUTPUT)


def end_stream(path: Path) -> None:
    """Notify a device that its writer has left.

    With exclusive capabilities it is a camera and no screen while it is written to. Up to version 0.12 the
    driver waits for the end of a stream, and stays a camera after a writer that did not start one, such as
    pyvirtualcam, has closed it or was killed. So a stream is started and ended here.
    """
    # Starting may be refused for lack of a picture format, which does not matter, or because a program
    # streams.
    with suppress(OSError), v4l2.opened(path) as handle:
        v4l2.start_stream(handle, v4l2.OUTPUT_STREAM)
    # The driver updates a device's capabilities only when they are queried, and until then takes no format
    # from a program that does not query them.
    ask(path)


ASK_AGAIN = 2.0
"""Seconds after which a driver that reported no reader is queried afresh: an event may have been lost."""


class Audience:
    """The readers of a device, as the driver reports them from version 0.13 on.

    It reports readers that have started their stream; programs that only list cameras do not count.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count: int | None = None
        self._handle: int | None = None
        self._open()

    def is_there(self) -> bool | None:
        """Whether anybody watches; None if the driver does not report it."""
        if self._count == 0 and time.monotonic() > self._asked + ASK_AGAIN:
            self.close()
            self._open()
        if self._handle is not None:
            for event in v4l2.events(self._handle):
                if event.kind == v4l2.CLIENT_USAGE:
                    self._count = event.value
        return None if self._count is None else self._count > 0

    def _open(self) -> None:
        self._asked = time.monotonic()
        self._count = None  # until the driver reports it again
        with suppress(OSError):
            self._handle = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
            v4l2.subscribe(self._handle, v4l2.CLIENT_USAGE)

    def close(self) -> None:
        """Close the device. May be called twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def shown_format(path: Path) -> tuple[tuple[int, int], bytes] | None:
    """Return size (width, height) and pixel format of a device; None if unknown.

    They stay while a call reads, whatever the next writer asks for, and its pictures then look like noise.
    """
    with suppress(OSError), v4l2.opened(path) as handle:
        _, width, height, pixels = v4l2.ask(
            handle, v4l2.GET_FORMAT, v4l2.FORMAT, v4l2.OUTPUT_STREAM, 0, 0, b""
        )
        return (width, height), pixels
    return None

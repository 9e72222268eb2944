"""The machine's cameras under a test's control.

The kernel's test webcam, and a webcam that shows the pictures written to it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import pytest

from avatar_app.outputs.v4l2loopback import end_stream
from avatar_app.types import Image
from avatar_app.v4l2 import OUTPUT_STREAM

NAMES = os.environ.get("AVATAR_TEST_V4L2", ",,").split(",")
VIVID, FACE_CAM, AVATAR_CAM = NAMES
"""Device paths, named by the environment variable AVATAR_TEST_V4L2; empty where there is no such machine."""

NO_MACHINE = pytest.mark.skipif(not VIVID, reason="run by `make test-v4l2`, in a machine with V4L2 drivers")

SET_FORMAT = 0xC0D05605
FORMAT = struct.Struct("I4xII4s4xI180x")
"""VIDIOC_S_FMT and struct v4l2_format on 64 bits: kind of stream, width, height, pixel format, bytes per
line."""

DRIVER = Path("/sys/bus/platform/drivers/vivid")
MODULE = Path("/run/v4l2loopback.ko")
RED = 7
"""Number of the kernel webcam's test picture that is all red, except for the time in its corner."""


class Vivid:
    """The kernel's test webcam."""

    def set(self, control: str, value: int) -> None:
        """For example ``disconnect``, ``test_pattern``, ``osd_text_mode``."""
        subprocess.run(["v4l2-ctl", "-d", VIVID, "-c", f"{control}={value}"], check=True, capture_output=True)

    def pull_out(self) -> None:
        """The device file disappears, even while it is in use."""
        (DRIVER / "unbind").write_text("vivid.0")

    def plug_in(self) -> None:
        """Under the same number, which is free once the last program has closed the unplugged device."""
        (DRIVER / "bind").write_text("vivid.0")
        while not Path(VIVID).exists():
            self.pull_out()
            time.sleep(0.2)
            (DRIVER / "bind").write_text("vivid.0")
        self.prepare()

    def prepare(self) -> None:
        """A colour that differs from an avatar's, and about 6 large pictures a second, which cost the machine
        more than the app's.
        """
        self.set("test_pattern", RED)
        self.set("percentage_of_dropped_buffers", 40)


class Feeder:
    """A program that writes pictures to a v4l2loopback device, in a thread.

    It can plug in, fall silent and go away. A context manager.

    Args:
        frames: repeated, five a second.
    """

    def __init__(self, device: str, frames: Sequence[Image], size: tuple[int, int] = (320, 240)) -> None:
        self._device = device
        self._frames = [
            np.ascontiguousarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA)) for frame in frames
        ]
        self._size = size
        self._silent = threading.Event()
        self._ended = threading.Event()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._opened.wait(20):
            self.unplug()
            raise AssertionError(f"{self._device} never took {self._size}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()

    def unplug(self) -> None:
        """May be called again."""
        self._ended.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def fall_silent(self) -> None:
        """The device exists but sends no pictures."""
        self._silent.set()

    def _run(self) -> None:
        handle = self._open()
        if handle is None:
            return
        number = 0
        try:
            os.write(handle, self._frames[-1].tobytes())
            self._opened.set()
            while not self._ended.wait(0.2):
                if not self._silent.is_set():
                    os.write(handle, self._frames[number % len(self._frames)].tobytes())
                    number += 1
        finally:
            os.close(handle)
            end_stream(Path(self._device))

    def _open(self) -> int | None:
        """While somebody still reads the device it keeps its old size, so this may have to wait; None: it
        timed out.
        """
        width, height = self._size
        while not self._ended.is_set():
            handle = -1
            with suppress(OSError):
                handle = os.open(self._device, os.O_RDWR | os.O_NONBLOCK)
                wanted = FORMAT.pack(OUTPUT_STREAM, width, height, b"RGB3", 3 * width)
                _, *got = FORMAT.unpack(fcntl.ioctl(handle, SET_FORMAT, wanted))
                if got == [width, height, b"RGB3", 3 * width]:
                    return handle
            if handle >= 0:
                os.close(handle)
            time.sleep(0.05)  # between two attempts
        return None


def unload_loopback() -> None:
    """Without v4l2loopback there is no virtual camera; the device files disappear."""
    subprocess.run(["rmmod", "v4l2loopback"], check=True, capture_output=True)


def load_loopback() -> None:
    """Load it as the machine does at boot."""
    numbers = ",".join(path.removeprefix("/dev/video") for path in (AVATAR_CAM, FACE_CAM))
    options = ["devices=2", f"video_nr={numbers}", "card_label=AvatarCam,FaceCam", "exclusive_caps=1,1"]
    subprocess.run(["insmod", str(MODULE), *options], check=True, capture_output=True)

"""A real v4l2loopback device, named by AVATAR_TEST_VIRTUAL_CAMERA, such as /dev/video20: loaded with
exclusive_caps=1 and free.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from avatar_app.errors import OutputError
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.sinks import Sink, list_virtual_cameras, open_sink
from tests.support.media import outgoing

DEVICE = os.environ.get("AVATAR_TEST_VIRTUAL_CAMERA", "")
pytestmark = pytest.mark.skipif(not DEVICE, reason="AVATAR_TEST_VIRTUAL_CAMERA names no virtual camera")

COLOR = (200, 40, 90)

READER = """
import sys
import cv2
camera = cv2.VideoCapture(sys.argv[1], cv2.CAP_V4L2)
good, image = camera.read()
print(good, *image.shape[1::-1], *image[-5, 5, ::-1], flush=True)
sys.stdin.read()
"""

WRITER = """
import os, sys
import numpy as np
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.sinks import open_sink
sink = open_sink("virtual-camera", sys.argv[1], (640, 480), 30)
sink.send(Outgoing(np.zeros((720, 640), np.uint8), 0.0))
os.kill(os.getpid(), 9)
"""

SLOW = """
import select, sys
import numpy as np
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.sinks import open_sink
sink = open_sink("virtual-camera", sys.argv[1], (640, 480), 5)
while True:
    sink.send(Outgoing(np.zeros((720, 640), np.uint8), 0.0))
    print(flush=True)
    if select.select([sys.stdin], [], [], 0.3)[0]:
        break
sink.close()
"""


SET_FORMAT = 0xC0D05605
FORMAT = struct.Struct("I4xII4s188x")
"""VIDIOC_S_FMT and struct v4l2_format on 64 bits: kind of stream (2: of a writer), width, height, pixel
format."""


def picture(size: tuple[int, int]) -> Outgoing:
    return outgoing(np.full((size[1], size[0], 3), COLOR, np.uint8))


def open_and_send(size: tuple[int, int]) -> Sink:
    sink = open_sink("virtual-camera", DEVICE, size, 30)
    sink.send(picture(size))
    return sink


def python(code: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", code, DEVICE],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def send_until(
    done: Callable[[], bool], sink: Sink, size: tuple[int, int], beside: subprocess.Popen[str]
) -> None:
    for _ in range(900):
        sink.send(picture(size))
        if done():
            return
        with pytest.raises(subprocess.TimeoutExpired):
            beside.wait(1 / 30)
    raise AssertionError("nothing came")


def test_call_sees_the_pictures_at_the_size_it_was_told() -> None:
    size = (1280, 720)
    sink = open_and_send(size)
    reader = python(READER)
    assert reader.stdout and reader.stdin
    output = reader.stdout
    send_until(lambda: bool(select.select([output], [], [], 0)[0]), sink, size, reader)
    good, width, height, *color = output.readline().split()
    assert (good, int(width), int(height)) == ("True", *size)
    assert np.abs(np.array(color, int) - COLOR).max() < 5

    sink.close()
    with pytest.raises(OutputError, match="at 1280 x 720, not at 640 x 480"):
        open_sink("virtual-camera", DEVICE, (640, 480), 30)
    open_and_send(size).close()
    reader.stdin.close()
    reader.kill()
    reader.wait()
    reader.stdout.close()
    open_and_send((640, 480)).close()


def test_killed_writer_leaves_a_device_that_can_be_opened() -> None:
    writer = python(WRITER)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    open_and_send((640, 480)).close()
    (camera,) = [each for each in list_virtual_cameras() if each.path == DEVICE]
    assert camera.exclusive_caps
    assert camera.writable


def test_device_that_another_program_sends_to_is_not_taken_from_it() -> None:
    writer = python(SLOW)
    assert writer.stdout
    writer.stdout.readline()
    try:
        with pytest.raises(OutputError, match="Another program sends") as caught:
            open_sink("virtual-camera", DEVICE, (640, 480), 30)
        assert f"fuser {DEVICE}" in caught.value.hint
    finally:
        writer.communicate("")
    open_and_send((640, 480)).close()


def test_device_that_was_used_takes_a_format_from_a_program_that_asks_nothing_first() -> None:
    open_and_send((640, 480)).close()
    handle = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = FORMAT.unpack(fcntl.ioctl(handle, SET_FORMAT, FORMAT.pack(2, 320, 240, b"RGB3")))
    finally:
        os.close(handle)
    assert answer == (2, 320, 240, b"RGB3")

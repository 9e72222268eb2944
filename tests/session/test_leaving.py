"""A program that ends while a camera still hangs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import socket
import threading
from avatar_app.errors import CameraError
from avatar_app.cameras import device as camera_device
from avatar_app.cameras.live import LiveSource
from avatar_app.ending import leave

camera_device.OPENING = 0.5
silent = socket.create_server(("127.0.0.1", 0))

class SlowEnd:
    def __del__(self, wait=threading.Event().wait):
        wait(1)

slow = SlowEnd()  # Python's own end takes long enough for FFmpeg to give up meanwhile
try:
    LiveSource(camera_device.StreamFeed(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/camera"), 0.05)
except CameraError as error:
    print(error.message)
leave(0)
"""


def test_camera_that_hangs_when_the_program_ends_does_not_abort_it() -> None:
    command, root = [sys.executable, "-c", CODE], Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "has sent no picture" in ended.stdout

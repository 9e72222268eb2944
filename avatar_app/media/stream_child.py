"""The process that sends a stream.

FFmpeg waits for a server without a time limit, and PyAV holds the GIL meanwhile. A process of its own blocks
nobody else, and can be killed.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import struct
import threading
from contextlib import suppress
from fractions import Fraction
from multiprocessing.connection import Connection

import av
import numpy as np
from av.video.frame import VideoFrame

from avatar_app.ending import end_with_parent
from avatar_app.errors import OutputError
from avatar_app.files import reason
from avatar_app.media.clip_writer import set_pictures
from avatar_app.media.formats import TICKS
from avatar_app.text import Text

QUALITY = {"preset": "ultrafast", "tune": "zerolatency", "crf": "20", "maxrate": "6M", "bufsize": "6M"}

KEY_SECONDS = 2
"""Seconds between key frames, as streaming services require."""

LONGEST = 30.0
"""Seconds that connecting or closing may take."""

MOMENT = struct.Struct("<d")
"""Precedes each picture: its time in seconds."""


def send_stream(
    address: str, title: str, kind: str, size: tuple[int, int], fps: int, parent: Connection
) -> None:
    """Send pictures to an address until the parent closes the pipe.

    Sends to the parent: None when started, None when connected; at any time an OutputError, which is the last
    message. Receives: `MOMENT`, then the I420 planes of a picture.

    Args:
        title: the address without its secrets.
        kind: FFmpeg's name of the container.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # encoders' messages do not help the user
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the app, whose end also ends this process
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    parent.send(None)
    _end_late()
    with suppress(OSError):  # the parent is gone
        try:
            with av.open(address, "w", format=kind) as container:
                stream = container.add_stream("libx264", rate=fps, options=QUALITY)
                set_pictures(stream, size)
                stream.codec_context.gop_size = KEY_SECONDS * fps
                stream.codec_context.thread_count = 1
                container.start_encoding()
                faulthandler.cancel_dump_traceback_later()
                parent.send(None)
                try:
                    _send(container, stream, size, parent)
                finally:
                    _end_late()
        except (av.FFmpegError, OSError) as problem:
            parent.send(failed(title, problem))


def _end_late() -> None:
    """End the process after `LONGEST` seconds unless this is cancelled.

    While PyAV connects or closes it holds the interpreter's lock, so that `end_with_parent` cannot.
    """
    faulthandler.dump_traceback_later(LONGEST, exit=True, file=2)


def _send(
    container: av.container.OutputContainer,
    stream: av.VideoStream,
    size: tuple[int, int],
    parent: Connection,
) -> None:
    last, (width, height) = -1, size
    while True:
        try:
            (seconds,) = MOMENT.unpack(parent.recv_bytes())
            planes = np.frombuffer(parent.recv_bytes(), np.uint8).reshape(height * 3 // 2, width)
        except EOFError:
            return
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.time_base = Fraction(1, TICKS)
        frame.pts = last = max(round(seconds * TICKS), last + 1)
        container.mux(stream.encode(frame))


def failed(title: str, problem: Exception) -> OutputError:
    """Return the error for an address that takes no pictures."""
    if isinstance(problem, av.error.ProtocolNotFoundError):
        return OutputError(
            Text("The FFmpeg in PyAV cannot send to {}.", title),
            Text("Use rtmp:// or udp://, or PyAV built with that protocol."),
        )
    return OutputError(
        Text("Nobody takes the pictures at {}: {}.", title, reason(problem)),
        Text("Check the address and the key, and whether the server runs."),
    )

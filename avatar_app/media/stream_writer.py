"""Pictures out to an address while they happen: RTMP, SRT, or a plain UDP stream."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import av
from av.video.frame import VideoFrame

from avatar_app.errors import OutputError
from avatar_app.files import reason
from avatar_app.media.clip_writer import set_pictures
from avatar_app.media.formats import TICKS
from avatar_app.text import Text
from avatar_app.types import Image

KINDS = {"rtmp": "flv", "rtmps": "flv", "udp": "mpegts", "srt": "mpegts"}
"""Beginnings of the addresses that can be sent to, and FFmpeg's name of each container."""

WHOLE_PACKETS = "pkt_size=1316"
"""Seven packets of a transport stream fill one of the network."""

QUALITY = {"preset": "ultrafast", "tune": "zerolatency", "crf": "20", "maxrate": "6M", "bufsize": "6M"}

PATIENCE = 4.0
"""Seconds in which a server must answer."""

PORTS = (1935, 443)
"""Of RTMP and RTMPS, where the address does not say."""

STALLED = 4.0
"""Seconds that a server may take for one picture. Others are dropped meanwhile."""

FAREWELL = 0.5
"""Seconds that hanging up may take; with a server that stalls it goes on in the stream's own thread."""

SLOW = 1.0
"""Seconds for one picture after which closing is too dangerous."""

ABANDONED: list[Any] = []
"""Outputs whose last picture took so long are kept and not closed: closing writes once more, holds the
interpreter meanwhile, and a server that reads nothing would stop the whole program."""

KEY_SECONDS = 2
"""Seconds between key pictures, as streaming services ask for."""


def stream_title(url: str) -> str:
    """Name an address without what follows its host.

    That is the key of the user's channel.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/..."


def require_stream(url: str) -> None:
    """Raise OutputError for an address that cannot be sent to.

    Nothing of the secrets in it is repeated.
    """
    kinds = ", ".join(f"{kind}://" for kind in KINDS)
    scheme = url.partition(":")[0].lower()
    if scheme not in KINDS:
        raise OutputError(
            Text("Nothing can be sent to an address that begins with {}://.", scheme[:20]),
            Text("Use one of {}, or name a video file.", kinds),
        )
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and (parts.port is not None or scheme.startswith("rtmp"))
    except ValueError:
        whole = False
    if not whole:
        raise OutputError(
            Text("The address to send to has no host or no port."),
            Text("Write it as rtmp://host/app/key or udp://host:port."),
        )


def greet(url: str) -> None:
    """Raise OSError unless a server answers at an RTMP address within ``PATIENCE``.

    PyAV holds the interpreter while it connects, and has no time limit there: a server that says nothing
    would stop the whole program.
    """
    parts = urlsplit(url)
    secure = parts.scheme.lower() == "rtmps"
    with socket.create_connection((parts.hostname, parts.port or PORTS[secure]), PATIENCE) as connection:
        connection.settimeout(PATIENCE)
        with _encrypted(connection, parts.hostname) if secure else connection as talk:
            talk.sendall(b"\x03" + bytes(8) + os.urandom(1528))  # C0 and C1 of the handshake
            if not talk.recv(1):
                raise OSError("the server hung up")


def _encrypted(connection: socket.socket, host: str | None) -> ssl.SSLSocket:
    """Put TLS over a connection.

    Whose certificate it is counts when the pictures are sent, not here.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)


Sending = tuple[Image, float]
"""Planes, and when they were given."""


class StreamWriter:
    """Sends H.264 pictures to an address.

    It waits while the connection is made. After that a thread of its own sends, for FFmpeg has no time limit
    there: of what comes while that is held up, the newest picture is kept.

    Args:
        url: as for `require_stream`.
        size: (width, height), even numbers.
        fps: pictures a second, about.

    Raises:
        OutputError: nobody takes it there; also from ``write``.
    """

    def __init__(self, url: str, size: tuple[int, int], fps: int) -> None:
        require_stream(url)
        self.name = stream_title(url)
        kind = KINDS[url.partition(":")[0].lower()]
        address = url
        if url.lower().startswith("udp:"):
            address = f"{url}{'&' if '?' in url else '?'}{WHOLE_PACKETS}"
        self._last, self._began = -1, time.monotonic()
        try:
            if kind == "flv":
                greet(url)
            self._container = av.open(address, "w", format=kind)
            self._stream = self._container.add_stream("libx264", rate=fps, options=QUALITY)
            set_pictures(self._stream, size)
            self._stream.codec_context.gop_size = KEY_SECONDS * fps
            self._stream.codec_context.thread_count = 1
            self._container.start_encoding()
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None
        self._changed = threading.Condition()
        self._newest: Sending | None = None
        self._busy_since: float | None = None
        self._problem: OutputError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def write(self, planes: Image) -> None:
        """Send a picture as I420 planes, (height * 3 / 2, width), as of now.

        The planes are not to be changed afterwards. Returns at once; raises what befell those before.
        """
        now = time.monotonic()
        with self._changed:
            if self._problem:
                raise self._problem
            if self._busy_since is not None and now - self._busy_since > STALLED:
                raise OutputError(
                    Text("The server at {} takes no more pictures.", self.name),
                    Text("Check the server and the network; the app connects again by itself."),
                )
            self._newest = planes, now
            self._changed.notify()

    def close(self) -> None:
        """Hang up. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(FAREWELL)

    def _run(self) -> None:
        slow = False
        try:
            while sending := self._next():
                began = time.monotonic()
                self._send(*sending)
                slow = time.monotonic() - began > SLOW
        except (av.FFmpegError, OSError) as problem:
            with self._changed:
                self._problem = self._failed(problem)
        if slow:
            ABANDONED.append(self._container)
            return
        with suppress(av.FFmpegError, OSError):
            self._container.close()

    def _next(self) -> Sending | None:
        """Wait for the newest picture; None at the end."""
        with self._changed:
            self._busy_since = None
            self._changed.wait_for(lambda: self._newest or self._closed)
            sending, self._newest = self._newest, None
            self._busy_since = time.monotonic()
            return None if self._closed else sending

    def _send(self, planes: Image, now: float) -> None:
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.time_base = Fraction(1, TICKS)
        frame.pts = self._last = max(round((now - self._began) * TICKS), self._last + 1)
        self._container.mux(self._stream.encode(frame))

    def _failed(self, problem: Exception) -> OutputError:
        if isinstance(problem, av.error.ProtocolNotFoundError):
            return OutputError(
                Text("The FFmpeg in PyAV cannot send to {}.", self.name),
                Text("Use rtmp:// or udp://, or PyAV built with that protocol."),
            )
        return OutputError(
            Text("Nobody takes the pictures at {}: {}.", self.name, reason(problem)),
            Text("Check the address and the key, and whether the server runs."),
        )

"""Pictures out to an address while they happen: RTMP, SRT, or a plain UDP stream."""

from __future__ import annotations

import os
import socket
import ssl
import time
from contextlib import suppress
from fractions import Fraction
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


class StreamWriter:
    """Sends H.264 pictures to an address.

    One thread, which waits while the connection is made.

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

    def write(self, planes: Image) -> None:
        """Send a picture as I420 planes, (height * 3 / 2, width), now."""
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.time_base = Fraction(1, TICKS)
        frame.pts = self._last = max(round((time.monotonic() - self._began) * TICKS), self._last + 1)
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def close(self) -> None:
        """Hang up. May be called twice."""
        with suppress(av.FFmpegError, OSError):
            self._container.close()

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

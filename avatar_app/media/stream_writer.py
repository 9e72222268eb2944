"""Send pictures to an address in real time: RTMP, SRT, or a plain UDP stream."""

from __future__ import annotations

import multiprocessing
import socket
import threading
import time
from urllib.parse import urlsplit

from avatar_app.errors import OutputError
from avatar_app.media.stream_child import MOMENT, failed, send_stream
from avatar_app.text import Text
from avatar_app.types import Image

KINDS = {"rtmp": "flv", "rtmps": "flv", "udp": "mpegts", "srt": "mpegts"}
"""Protocols that can be sent to, and FFmpeg's name of each container."""

WHOLE_PACKETS = "pkt_size=1316"
"""Seven packets of a transport stream fill one network packet."""

STARTING = 30.0
"""Seconds that the sending process may take to start."""

PATIENCE = 4.0
"""Seconds within which a server must answer."""

STALLED = 4.0
"""Seconds that a server may take for one picture. Others are dropped meanwhile."""

PORTS = {"rtmp": 1935, "rtmps": 443}
"""Default ports."""

FAREWELL = 0.5
"""Seconds that closing may take; then the process is killed."""


def stream_title(url: str) -> str:
    """Return an address without the part after its host, which holds the user's key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/..."


def require_stream(url: str) -> None:
    """Raise OutputError for an address that cannot be sent to.

    The message repeats no secrets.
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


Sending = tuple[Image, float]
"""Planes, and when they were given."""


class StreamWriter:
    """Sends H.264 pictures to an address, by a process of its own.

    The constructor waits for the connection. After that a thread passes the pictures on; while the server is
    slow, only the newest is kept.

    Args:
        url: as for `require_stream`.
        size: (width, height), even numbers.
        fps: approximate pictures a second.

    Raises:
        OutputError: no server takes it; also from ``write``.
    """

    def __init__(self, url: str, size: tuple[int, int], fps: int) -> None:
        require_stream(url)
        self.name = stream_title(url)
        kind = KINDS[url.partition(":")[0].lower()]
        address = url
        if url.lower().startswith("udp:"):
            address = f"{url}{'&' if '?' in url else '?'}{WHOLE_PACKETS}"
        if kind == "flv":
            self._knock(url)
        self._began = time.monotonic()
        self._child, theirs = multiprocessing.Pipe()
        # A new process, not a fork, which would inherit the state of threads.
        self._process = multiprocessing.get_context("spawn").Process(
            target=send_stream, args=(address, self.name, kind, size, fps, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            self._hear(STARTING)
            self._hear(PATIENCE)
        except BaseException:
            self._end()
            raise
        self._changed = threading.Condition()
        self._newest: Sending | None = None
        self._busy_since: float | None = None
        self._problem: OutputError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def write(self, planes: Image) -> None:
        """Send a picture as I420 planes, (height * 3 / 2, width), with the current time.

        The planes must not change afterwards. Returns at once; raises errors of earlier pictures.
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
        """Close the connection. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(FAREWELL)
        self._process.kill()  # the thread that passes pictures on then gets an error
        self._thread.join(FAREWELL)

    def _run(self) -> None:
        try:
            while sending := self._next():
                planes, now = sending
                self._child.send_bytes(MOMENT.pack(now - self._began))
                self._child.send_bytes(planes.tobytes())
        except OSError:  # it has ended
            try:
                self._hear(0)
            except OutputError as problem:
                with self._changed:
                    self._problem = problem
        self._end()

    def _next(self) -> Sending | None:
        """Wait for the newest picture; None at the end."""
        with self._changed:
            self._busy_since = None
            self._changed.wait_for(lambda: self._newest or self._closed)
            sending, self._newest = self._newest, None
            self._busy_since = time.monotonic()
            return None if self._closed else sending

    def _knock(self, url: str) -> None:
        """Raise OutputError if no server listens.

        The process would take a second to report that.
        """
        parts = urlsplit(url)
        try:
            port = parts.port or PORTS[parts.scheme.lower()]
            socket.create_connection((parts.hostname, port), PATIENCE).close()
        except OSError as problem:
            raise failed(self.name, problem) from None

    def _hear(self, seconds: float) -> None:
        """Wait for the process's next message.

        Raises OutputError if it reports one, or does not answer.
        """
        said: OutputError | None
        try:
            said = (
                self._child.recv()
                if self._child.poll(seconds)
                else failed(self.name, TimeoutError("timed out"))
            )
        except (EOFError, OSError) as problem:
            said = failed(self.name, problem)
        if said is not None:
            raise said

    def _end(self) -> None:
        self._child.close()
        self._process.join(FAREWELL)
        self._process.kill()
        self._process.join()

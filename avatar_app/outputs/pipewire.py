"""Publish a camera in PipeWire, which needs no kernel module.

Pictures go through a pipe to GStreamer, which publishes them.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from avatar_app.errors import OutputError
from avatar_app.files import find_program
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.packages import install_command
from avatar_app.outputs.virtual_cameras import NAME
from avatar_app.text import Text, join

LAUNCH, INSPECT = "gst-launch-1.0", "gst-inspect-1.0"
ELEMENTS = ("rawvideoparse", "videoconvert", "pipewiresink")

START_SECONDS = 10.0
"""Seconds: starting takes 50 ms, but the first time GStreamer scans all its plug-ins."""

STUCK_SECONDS = 3.0
"""Seconds: a program that freezes while it shows the camera can block it for good; only opening it again
helps.
"""

CLOSE_SECONDS = 0.1
START = Text("Run `systemctl --user start pipewire wireplumber`.")
KEPT = 4000
"""Bytes of GStreamer's output that are kept for a message."""


class PipeWireCamera:
    """Publishes pictures as the camera ``NAME``.

    Opened, used and closed in one thread; it ends with that thread. Calls list it once the first picture was
    sent. A picture that GStreamer does not take within a frame's time is dropped, so a frozen call blocks
    nothing here.

    Raises:
        OutputError: something is not installed or PipeWire does not run.
    """

    def __init__(self, size: tuple[int, int], fps: int) -> None:
        require_pipewire()
        self._lifeline = _connect()
        self.name = f"PipeWire: {NAME}"
        self._size = size
        self._patience = 1 / fps
        self._rest = memoryview(b"")
        self._jammed_since: float | None = None
        self._said = b""
        # Its own process group: a Ctrl-C in the terminal is for the app, which then closes this.
        self._process = subprocess.Popen(
            _command(size, fps),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            process_group=0,
        )
        assert self._process.stdin and self._process.stdout
        self._pipe, self._words = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        os.set_blocking(self._words, False)
        self._widen_pipe()
        try:
            self._await_connection()
        except BaseException:
            self.close()
            raise

    def send(self, picture: Outgoing) -> None:
        """Publish a picture of the agreed size, or drop it.

        Raises OutputError when GStreamer or PipeWire is gone.
        """
        if picture.size != self._size:
            raise ValueError(f"the camera was opened for {self._size}, not for a picture of {picture.size}")
        deadline = time.monotonic() + self._patience
        self._listen()
        if not self._lifeline or _has_ended(self._lifeline):
            raise OutputError(Text("PipeWire has stopped."), START)
        if self._push(deadline):
            self._rest = picture.planes.data.cast("B")
            self._push(deadline)
        if self._rest and self._jammed_since is None:
            self._jammed_since = time.monotonic()
        elif self._rest and self._jammed_since and time.monotonic() - self._jammed_since > STUCK_SECONDS:
            message = Text("The PipeWire camera has taken no picture for {:.0f} seconds.", STUCK_SECONDS)
            raise OutputError(
                message, Text("A program that shows it may hang: choose the camera there again.")
            )

    def watched(self) -> None:
        """Return None: GStreamer does not report it."""

    def close(self) -> None:
        """Remove the camera, within 0.2 seconds."""
        if self._process.stdin and self._process.stdout:
            with suppress(OSError):
                self._process.stdin.close()  # the end of the stream, at which GStreamer exits
            try:
                self._process.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        if self._lifeline:
            self._lifeline.close()

    def _push(self, deadline: float) -> bool:
        """Write the rest of the last picture; return True when it is complete.

        A missing part would corrupt all pictures that follow.
        """
        poll = select.poll()
        poll.register(self._pipe, select.POLLOUT)
        while self._rest:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return False
            try:
                written = os.write(self._pipe, self._rest)
            except BlockingIOError:
                continue
            except OSError:
                raise self._gone() from None
            self._rest = self._rest[written:]
            self._jammed_since = None
        return True

    def _await_connection(self) -> None:
        """Wait until GStreamer waits for the first picture: it has then opened PipeWire."""
        deadline = time.monotonic() + START_SECONDS
        while b"PREROLL" not in self._said:
            ready, _, _ = select.select([self._words], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise OutputError(
                    Text("GStreamer has not started within {:.0f} seconds.", START_SECONDS),
                    Text("Try again."),
                )
            if not self._listen():
                raise self._gone()

    def _listen(self) -> bool:
        """Read GStreamer's output, so that it cannot block; return False after its end."""
        try:
            words = os.read(self._words, 65536)
        except BlockingIOError:
            return True
        self._said = (self._said + words)[-KEPT:]
        return bool(words)

    def _gone(self) -> OutputError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_SECONDS)
        while self._process.poll() is not None and self._listen():
            pass
        return OutputError(Text("The PipeWire camera has stopped."), self._last_words())

    def _last_words(self) -> Text:
        """Return GStreamer's complaint, else the most likely remedy."""
        complaints = re.findall(
            r"(?:ERROR|WARNING): (?:from element \S+: |erroneous pipeline: )?(.+)",
            self._said.decode(errors="replace"),
        )
        cure = Text("See that PipeWire and WirePlumber run: `systemctl --user restart pipewire wireplumber`.")
        return join([cure, Text("(GStreamer says: {}.)", complaints[0].rstrip("."))]) if complaints else cure

    def _widen_pipe(self) -> None:
        """Enlarge the pipe to about one picture: fewer wake-ups, no more delay than that."""
        import fcntl

        with suppress(OSError):  # the system's limit may be lower
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, min(self._size[0] * self._size[1] * 3 // 2, 1 << 20))


def require_pipewire() -> None:
    """Raise OutputError unless a camera can be published.

    The hint says what to install or start.
    """
    if not sys.platform.startswith("linux"):
        raise OutputError(
            Text("PipeWire cameras exist only on Linux."), Text("Choose the output virtual-camera.")
        )
    install = install_command(
        "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-pipewire",
        "gstreamer1 gstreamer1-plugins-base pipewire-gstreamer",
        "gstreamer gst-plugins-base gst-plugin-pipewire",
    )
    if not find_program(LAUNCH):
        raise OutputError(Text("GStreamer's {} is not installed.", LAUNCH), Text("Run {}.", install))
    probe = _connect()
    if not probe:
        raise OutputError(Text("PipeWire does not run in this session."), START)
    probe.close()
    inspect = find_program(INSPECT)
    for element in ELEMENTS if inspect else ():
        if subprocess.run(
            [str(inspect), element], check=False, capture_output=True
        ).returncode:  # its --exists misses plug-ins before 1.0
            raise OutputError(Text("GStreamer's {} is not installed.", element), Text("Run {}.", install))


def _connect() -> socket.socket | None:
    """Connect to PipeWire at the address that its library uses; None if it fails.

    Nothing is sent. The connection ends with PipeWire, which GStreamer does not notice: it goes on taking
    pictures that nobody sees.
    """
    remote = os.environ.get("PIPEWIRE_REMOTE", "pipewire-0")
    folders = [os.environ.get("PIPEWIRE_RUNTIME_DIR"), os.environ.get("XDG_RUNTIME_DIR"), "/run/pipewire"]
    for folder in folders:
        if folder:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(Path(folder) / remote))
                connection.setblocking(False)
                return connection
            except OSError:
                connection.close()
    return None


def _has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _command(size: tuple[int, int], fps: int) -> list[str]:
    shape = [f"width={size[0]}", f"height={size[1]}", f"framerate={fps}/1"]
    about = (
        f'media.class=Video/Source,media.role=Camera,node.name=avatar-camera,node.description=\\"{NAME}\\"'
    )
    # GStreamer ends with the stream, unless it is blocked; then it ends with the thread that opened the
    # camera.
    setpriv = find_program("setpriv")
    guard = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    return [
        *guard,
        *(find_program(LAUNCH) or LAUNCH, "--no-fault", "fdsrc", "fd=0", "blocksize=65536", "!"),
        *("rawvideoparse", "format=i420", "colorimetry=bt601", *shape, "!"),  # what OpenCV's conversion gives
        *(
            "videoconvert",
            "!",
            "video/x-raw,format=YUY2",
            "!",
        ),  # the format that every camera application knows
        *(
            "identity",
            "drop-allocation=true",
            "!",
        ),  # else pipewiresink and videoconvert share memory and crash
        *("pipewiresink", "mode=provide", "sync=false", f'stream-properties="props,{about}"'),
    ]

"""Read cameras of this computer, and streams by FFmpeg, through OpenCV."""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import cv2
import numpy as np

from avatar_app.cameras.address import address_title
from avatar_app.cameras.listing import CameraInfo, user_of
from avatar_app.cameras.live import SILENCE
from avatar_app.cameras.permission import require_camera_permission
from avatar_app.errors import CameraError
from avatar_app.files import reason
from avatar_app.text import Text
from avatar_app.types import Image

if TYPE_CHECKING:
    from avatar_app.media.video import NetworkStream, Picture

MOTION_JPEG = cv2.VideoWriter.fourcc(*"MJPG")
"""Over USB 2 most cameras reach 1280 x 720 at 30 fps only with compression."""

BUFFERS = 2
"""One is filled while the other is decoded: with a single one, drivers skip every second picture. None waits,
because the source's thread takes each at once.
"""


OPENING = 5.0
"""Seconds that a stream may take to open: many cameras send a key frame only every few seconds."""


class DeviceFeed:
    """A camera.

    Args:
        size, fps: requested values; cameras deliver what they can.
    """

    def __init__(self, camera: CameraInfo, size: tuple[int, int], fps: int) -> None:
        self.title = camera.name
        self._camera = camera
        self._size, self._fps = size, fps
        self._capture = cv2.VideoCapture()
        self._stopping = threading.Event()

    def open(self) -> None:
        require_camera_permission()
        prepare_opencv()
        if self._camera.path:
            require_device(self._camera)
        for index, backend in self._ways():
            if self._open(index, backend):
                return
        raise self._not_opened()

    def grab(self) -> cv2.typing.MatLike | None:
        with suppress(cv2.error):  # a damaged picture can make the decoder raise
            grabbed, picture = self._capture.read()
            if grabbed and picture is not None:
                return picture
        if self._camera.path and not Path(self._camera.path).exists():
            raise CameraError(Text("The camera {} was unplugged.", self.title), Text("Connect it again."))
        self._stopping.wait(0.01)  # a dead camera fails at once, repeatedly
        return None

    def decode(self, raw: cv2.typing.MatLike) -> Image | None:
        return to_rgb(raw)

    def interrupt(self) -> None:
        self._stopping.set()

    def release(self) -> None:
        self._capture.release()

    def _ways(self) -> list[tuple[int, int]]:
        """Return index and backend, in the order to try.

        Each backend of Windows numbers cameras differently.
        """
        ways = [(self._camera.index, self._camera.backend)]
        if self._camera.backend == cv2.CAP_DSHOW:
            from cv2_enumerate_cameras import enumerate_cameras

            others = [
                camera.index for camera in enumerate_cameras(cv2.CAP_MSMF) if camera.name == self._camera.name
            ]
            ways += [(index, cv2.CAP_MSMF) for index in others[:1]]
        return ways

    def _open(self, index: int, backend: int) -> bool:
        wishes = {
            cv2.CAP_PROP_FOURCC: MOTION_JPEG,  # before the size, which may exist only in this format
            cv2.CAP_PROP_FRAME_WIDTH: self._size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: self._size[1],
            cv2.CAP_PROP_FPS: self._fps,
        }
        if backend == cv2.CAP_DSHOW:
            # Set after opening, each of them would stop and start the camera. But opening fails if the camera
            # rejects one.
            settings = [int(value) for wish in wishes.items() for value in wish]
            if self._capture.open(index, backend, settings):
                return True
        if not self._capture.open(index, backend):
            return False
        for wish, value in (wishes | {cv2.CAP_PROP_BUFFERSIZE: BUFFERS}).items():
            self._capture.set(wish, value)
        return True

    def _not_opened(self) -> CameraError:
        user = user_of(self._camera.path) if self._camera.path else ""
        if user:
            return CameraError(
                Text("The camera {} is in use by {}.", self.title, user),
                Text("Close {}, or choose another camera.", user),
            )
        hint = Text("Close other programs that use it, or unplug it and connect it again.")
        if platform.system() != "Linux":
            hint = Text(
                "Close other programs that use it, and allow this one to use cameras in the system's "
                "privacy settings."
            )
        return CameraError(Text("The camera {} cannot be opened.", self.title), hint)


class StreamFeed:
    """A network stream of any kind that FFmpeg reads, such as RTSP.

    Args:
        paced: for films and their playlists (HLS), which arrive faster than they play: each picture waits for
            its own time, and a film starts over at its end.
    """

    def __init__(self, url: str, paced: bool = False) -> None:
        self.title = address_title(url)
        self._url = url
        self._is_sent = url.lower().startswith("udp:")
        """Whether it arrives without being asked for, so that nobody answers."""
        self._stream: NetworkStream | None = None
        self._pace = Pace() if paced else None
        self._stopping = threading.Event()

    def open(self) -> None:
        if not self._is_sent:
            self._require_answer()
        elif urlsplit(self._url).port is None:
            raise unreachable(self.title, ValueError("the address has no port"))
        self._connect()

    def _connect(self) -> NetworkStream:
        from avatar_app.media.video import NetworkStream

        self.release()
        try:
            self._stream = NetworkStream(self._url, OPENING, SILENCE)
        except (OSError, ValueError):
            if self._is_sent:
                hint = Text(
                    "Close other programs that use this port, and check that the sender sends MPEG-TS to it."
                )
                raise CameraError(Text("No video could be received on {}.", self.title), hint) from None
            hint = Text(
                "Check the path of the address, the user and the password, as in "
                "rtsp://user:password@host/path."
            )
            raise CameraError(
                Text("The camera {} answers, but not with a video stream.", self.title), hint
            ) from None
        return self._stream

    def grab(self) -> Picture:
        assert self._stream is not None
        try:
            picture = self._stream.read()
        except (OSError, ValueError):
            picture = self._again()
        if self._pace is not None:
            self._stopping.wait(self._pace.wait(picture.time or 0.0))
        return picture

    def _again(self) -> Picture:
        """Reopen a film and return its first picture.

        Raises CameraError for other streams, which have stopped sending.
        """
        if self._pace is not None and self._pace.pictures and not self._stopping.is_set():
            self._pace = Pace()
            with suppress(OSError, ValueError):
                return self._connect().read()
        raise CameraError(
            Text("The camera {} has stopped sending.", self.title), Text("Check that it is on and in reach.")
        )

    def decode(self, raw: Picture) -> Image | None:
        from avatar_app.media.video import rgb

        return rgb(raw)

    def interrupt(self) -> None:
        """Do nothing: FFmpeg cannot be interrupted; it gives up after ``SILENCE`` seconds."""
        self._stopping.set()

    def release(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _require_answer(self) -> None:
        """Raise CameraError if nothing listens; FFmpeg could not say why."""
        try:
            parts = urlsplit(self._url)
            if not parts.hostname:
                raise ValueError("the address has no host")
            port = parts.port or {"rtsps": 322, "http": 80, "https": 443}.get(parts.scheme, 554)
            socket.create_connection((parts.hostname, port), SILENCE).close()
        except (OSError, ValueError) as problem:
            raise unreachable(self.title, problem) from None


class Pace:
    """Schedule of the pictures of a stream that arrives faster than it plays."""

    LONGEST = 1.0
    """Seconds; a longer step between two pictures, or one back, is a cut: the next picture is due at once."""

    def __init__(self) -> None:
        self.pictures = 0
        self._begin = self._last = 0.0

    def wait(self, moment: float) -> float:
        """Return the seconds until the picture with the time stamp ``moment`` (s) is due."""
        now = time.monotonic()
        is_cut = self.pictures == 0 or not 0 <= moment - self._last <= self.LONGEST
        if is_cut or now > self._begin + moment + self.LONGEST:
            self._begin = now - moment
        self.pictures += 1
        self._last = moment
        return max(0.0, self._begin + moment - now)


def to_rgb(picture: cv2.typing.MatLike) -> Image | None:
    """Convert a picture of OpenCV to RGB: BGR, BGRA or grey, of 8 or 16 bits.

    None for anything else.
    """
    codes = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    channels = 1 if picture.ndim == 2 else picture.shape[-1]
    if picture.dtype == np.uint16:
        picture = (picture / 257).astype(np.uint8)
    if picture.dtype != np.uint8 or picture.ndim > 3 or picture.size == 0 or channels not in codes:
        return None
    return np.asarray(cv2.cvtColor(picture, codes[channels]), np.uint8)


def require_device(camera: CameraInfo) -> None:
    """Raise CameraError unless this V4L2 device exists and may be used."""
    try:
        os.close(os.open(camera.path, os.O_RDWR | os.O_NONBLOCK))
    except PermissionError:
        hint = Text(
            'Add yourself to the group "video" with: sudo usermod -aG video $USER. Then log out and in again.'
        )
        raise CameraError(
            Text("You have no permission to use the camera {} ({}).", camera.name, camera.path), hint
        ) from None
    except OSError as problem:
        raise CameraError(
            Text("The camera {} ({}) cannot be opened: {}.", camera.name, camera.path, reason(problem)),
            Text("Connect it again."),
        ) from None


def unreachable(title: str, problem: Exception) -> CameraError:
    """Return the error for an address that does not answer."""
    said = "no answer" if isinstance(problem, TimeoutError) else reason(problem)
    return CameraError(
        Text("The camera {} cannot be reached: {}.", title, said),
        Text("Check that it is on, its address and the network."),
    )


def prepare_opencv() -> None:
    """Set the environment variables that OpenCV reads when it first opens something.

    Values that the user has set stay.
    """
    cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # our errors say more, and on a line of their own
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # the same for FFmpeg
    os.environ.setdefault(
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", f"{SILENCE:.0f}"
    )  # else a silent camera stays open for 10 seconds
    os.environ.setdefault(
        "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0"
    )  # else many cameras take half a minute to open
    # On macOS OpenCV can wait for the user's permission only in the main thread, and cameras are opened in
    # others. So it is set not to ask; camera_permission asks, and OpenCV opens no camera before.
    os.environ.setdefault("OPENCV_AVFOUNDATION_SKIP_AUTH", "1")

"""Open any source of pictures: a camera, a file, a folder or an address."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import cv2

from avatar_app.cameras import device as camera_device
from avatar_app.cameras.address import address_title, fault_of, is_address, source_title
from avatar_app.cameras.device import DeviceFeed, StreamFeed, unreachable
from avatar_app.cameras.files import ClipSource, FolderSource
from avatar_app.cameras.listing import CameraInfo, find_camera, list_cameras
from avatar_app.cameras.live import SILENCE, LiveSource
from avatar_app.cameras.mjpeg import MjpegFeed
from avatar_app.errors import CameraError
from avatar_app.files import is_there
from avatar_app.text import Text
from avatar_app.types import Image

__all__ = ["CameraInfo", "Source", "list_cameras", "open_source"]

ADDRESSES = ("http", "https", "rtsp", "rtsps", "udp")

FILMS = (".m3u8", ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".ts", ".flv")
"""Endings of addresses that FFmpeg reads: films and playlists (HLS). All others count as webcams."""

BARE_ADDRESS = re.compile(
    r"(?:[^/@\s]*@)?(?:\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?|[A-Za-z][\w-]*(?:\.[\w-]+)*:\d+)(?:[/?].*)?"
)
"""An address without its protocol: four numbers, or a name with a port, and an optional path."""

DEVICE_PATIENCE = 10.0 if platform.system() == "Windows" else 4.0
"""Seconds until a camera's first picture; some take that long to start."""


class Source(Protocol):
    """A source of pictures, one reader at a time.

    Attributes:
        name: for people: "USB Camera, 1280 x 720".
        live: a camera, in which a picture that never changes is a fault; False for files and folders.
        arrived: arrival of the picture that was read last, before decoding; ``time.monotonic()``.
    """

    name: str
    live: bool
    arrived: float

    def read(self) -> Image:
        """Return the next picture, (H, W, 3) RGB, when it is due, within 2 seconds.

        Raises:
            CameraError: gone, silent or damaged.
        """

    def close(self) -> None:
        """Close within 300 ms, whatever the camera does. Any thread may call it."""


def open_source(text: str, size: tuple[int, int] = (1280, 720), fps: int = 30) -> Source:
    """Open the source that a text names.

    Args:
        text: a camera's number, name or part of its name, /dev/videoN, a video file, a folder of pictures, or
            an address that begins with one of `ADDRESSES`; empty: the first camera.
        size: width and height requested from a camera.
        fps: pictures a second requested from a camera, and the pace of a folder.

    Raises:
        CameraError: there is no such source, or it gives no pictures.
    """
    if is_address(text):
        return _open_address(text)
    device = _named_device(text)
    if device:
        return LiveSource(DeviceFeed(device, size, fps), DEVICE_PATIENCE)
    cameras = list_cameras()
    path = Path(text)
    if text and not text.isdecimal() and is_there(path) and all(camera.name != text for camera in cameras):
        return _open_path(path, fps)
    if BARE_ADDRESS.fullmatch(text) and all(text != camera.name for camera in cameras):
        hint = Text("Write http:// before it, or rtsp:// for a camera of that kind.")
        raise CameraError(Text("{} is an address without its beginning.", source_title(text)), hint)
    return LiveSource(DeviceFeed(find_camera(text, cameras), size, fps), DEVICE_PATIENCE)


def _open_path(path: Path, fps: int) -> Source:
    if path.is_dir():
        return FolderSource(path, fps)
    if path.is_file():
        return ClipSource(path)
    raise CameraError(
        Text("{} is neither a file nor a folder.", path), Text("Name a video file or a folder of pictures.")
    )


def _open_address(url: str) -> Source:
    scheme = url.partition(":")[0].lower()
    if scheme in ADDRESSES and (fault := fault_of(url)):
        raise unreachable(address_title(url), ValueError(fault))
    if scheme in ("http", "https") and Path(urlsplit(url).path).suffix.lower() in FILMS:
        return LiveSource(StreamFeed(url, paced=True), camera_device.OPENING + SILENCE)
    if scheme in ("http", "https"):
        return LiveSource(
            MjpegFeed(url), SILENCE + 0.3
        )  # slightly longer than the connection's own limit, whose error says more
    if scheme in ("rtsp", "rtsps", "udp"):
        return LiveSource(StreamFeed(url), camera_device.OPENING)
    raise CameraError(
        Text("Addresses that begin with {}:// are not known.", scheme),
        Text("Use one of {}.", ", ".join(ADDRESSES)),
    )


def _named_device(text: str) -> CameraInfo | None:
    """Return the camera at a device path, even one that is not listed. Linux.

    Paths are such as /dev/video0 or /dev/v4l/by-id/....
    """
    if platform.system() != "Linux" or not text.startswith("/dev/"):
        return None
    try:
        path = Path(text).resolve()
    except (OSError, ValueError):  # characters that no path can have
        return None
    number = re.fullmatch(r"/dev/video(\d+)", str(path))
    if number is None or not path.exists():
        return None
    known = [camera for camera in list_cameras() if camera.path == str(path)]
    return known[0] if known else CameraInfo(str(path), int(number[1]), cv2.CAP_V4L2, str(path))

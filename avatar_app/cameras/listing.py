"""List cameras without starting them.

No light goes on, and no other program loses its camera.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2

from avatar_app.cameras.address import source_title
from avatar_app.cameras.formats import camera_formats
from avatar_app.errors import CameraError
from avatar_app.text import Text
from avatar_app.v4l2 import (
    CAPTURE,
    CAPTURE_PLANES,
    LOOPBACK,
    MEDIA_CONTROLLER,
    OUTPUT,
    Capabilities,
    opened,
    query,
)

log = logging.getLogger(__name__)

CAPTURES = CAPTURE | CAPTURE_PLANES

OWN_NAME = "Avatar Camera"
"""Name that the README recommends for the device that shows the avatar."""
VIRTUAL = ("OBS Virtual Camera", "Unity Video Capture", "OBS-Camera")
"""Cameras of Windows and macOS that programs feed: OBS, or this one."""

INFRARED = re.compile(r"\b(?:ir|infrared|depth|tof)\b|windows hello", re.IGNORECASE)
COLOURLESS = {"GREY", "Y8", "Y8I", "Y10", "Y12", "Y12I", "Y16", "Z16", "INVZ", "INZI", "CNF4"}
"""V4L2 pixel formats of infrared and depth cameras."""

Kind = Literal["camera", "virtual", "infrared"]
ORDER: tuple[Kind, ...] = ("camera", "virtual", "infrared")
"""Infrared and depth cameras, which many laptops have for logging in, come last."""

NOT_OPENED = {errno.EACCES, errno.EPERM, errno.EBUSY}


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera of this computer.

    Attributes:
        name: for people; unique.
        index: OpenCV's number of it, which only ``backend`` understands.
        backend: an OpenCV constant CAP_*.
        path: such as /dev/video0 on Linux, else empty.
        kind: ``virtual``: fed by a program; ``infrared``: no colours.
    """

    name: str
    index: int
    backend: int
    path: str = ""
    kind: Kind = "camera"


def list_cameras() -> list[CameraInfo]:
    """Return the cameras of this computer; never raises.

    Without a camera, a file or an address may still be the source.
    """
    try:
        return look_for_cameras()
    except Exception:
        log.exception("the cameras could not be listed")
        return []


def look_for_cameras() -> list[CameraInfo]:
    """Return the cameras of this computer; may raise any error of system libraries."""
    found = linux_cameras() if platform.system() == "Linux" else _enumerated_cameras()
    return list(_with_unique_names(sorted(found, key=lambda camera: ORDER.index(camera.kind))))


def find_camera(text: str, cameras: list[CameraInfo]) -> CameraInfo:
    """Find a camera by its number, its name or a part of its name.

    An empty text stands for the first camera.

    Raises:
        CameraError: none or several fit.
    """
    if not (text or cameras):
        raise CameraError(
            Text("No camera is connected."),
            Text("Connect one, or choose a video file, a folder of pictures or an address."),
        )
    if not text:
        own = [
            camera for camera in cameras if camera.kind != "virtual"
        ]  # another may show this program's output
        if not own:
            raise CameraError(
                Text("No camera is connected."),
                Text("Connect one, or choose what other programs feed: {}.", names(cameras)),
            )
        return own[0]
    if text.isdecimal():
        fitting = [camera for camera in cameras if camera.index == int(text)][:1]
    else:
        fitting = [camera for camera in cameras if camera.name == text]
        fitting = fitting or [camera for camera in cameras if text.casefold() in camera.name.casefold()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise CameraError(
            Text('"{}" fits {} cameras.', text, len(fitting)),
            Text("Write more of the name: {}.", names(fitting)),
        )
    here = Text("The cameras here: {}.", names(cameras)) if cameras else Text("No camera is connected.")
    title = source_title(text)
    message = (
        Text('There is no camera "{}".', title)
        if text.isdecimal()
        else Text('There is no camera, file or folder "{}".', title)
    )
    raise CameraError(message, here)


def names(cameras: Iterable[CameraInfo]) -> str:
    """Return the cameras' names for messages."""
    return ", ".join(f"{camera.index} {camera.name}" for camera in cameras)


def query_device(path: Path) -> Capabilities | None:
    """Query a V4L2 device; None if access is denied.

    Raises OSError if it is gone or no such device.
    """
    try:
        with opened(path) as device:
            return query(device)
    except OSError as problem:
        if problem.errno in NOT_OPENED:
            return None
        raise


def linux_cameras(
    devices: Path = Path("/dev"),
    sysfs: Path = Path("/sys/class/video4linux"),
    query: Callable[[Path], Capabilities | None] = query_device,
    formats: Callable[[str], list[str]] = camera_formats,
) -> list[CameraInfo]:
    """Return the V4L2 devices that are cameras.

    Without metadata nodes, outputs, codecs, and loopback devices that no other program feeds.
    """
    found = []
    for path in devices.glob("video[0-9]*"):
        with suppress(OSError, ValueError):  # unplugged meanwhile, or no number: not a camera
            index, capabilities = int(path.name.removeprefix("video")), query(path)
            if capabilities is None:
                name, usable = _line(sysfs / path.name / "name"), _looks_usable(sysfs / path.name)
            else:
                name, usable = capabilities.card, _is_camera(path, capabilities)
            if usable:
                name = _tidy(name or path.name)
                virtual = capabilities is not None and capabilities.driver == LOOPBACK
                kind: Kind = (
                    "virtual"
                    if virtual
                    else kind_of(name, [] if capabilities is None else formats(str(path)))
                )
                found.append(CameraInfo(name, index, cv2.CAP_V4L2, str(path), kind))
    return sorted(found, key=lambda camera: camera.index)


def kind_of(name: str, formats: list[str]) -> Kind:
    """Return the kind of a camera, by its name and its pixel formats.

    Formats look like ``GREY up to 640 x 360``; empty if unknown.
    """
    colourless = bool(formats) and all(text.split(" ")[0] in COLOURLESS for text in formats)
    return "infrared" if colourless or INFRARED.search(name) else "camera"


def _is_camera(path: Path, device: Capabilities) -> bool:
    if not device.flags & CAPTURES or device.flags & MEDIA_CONTROLLER:
        return False
    return device.driver != LOOPBACK or _is_fed_by_others(path, device)


def _is_fed_by_others(path: Path, device: Capabilities) -> bool:
    """Return whether another program feeds a loopback device.

    Such as OBS, or the software of a phone or a camera.
    """
    users = {process for process, _ in _holders(str(path))}
    if device.card == OWN_NAME or os.getpid() in users:
        return False
    # With exclusive capabilities it is a camera only while it is fed. Otherwise somebody has it open, most
    # likely the feeding program.
    return bool(users) if device.flags & OUTPUT else True


def _looks_usable(entry: Path) -> bool:
    """Guess whether an inaccessible device is a camera.

    A camera is its hardware's first node, and loopback devices belong to no hardware.
    """
    return _line(entry / "index") in ("", "0") and "virtual" not in entry.resolve().parts


def user_of(path: str) -> str:
    """Return another program that has this device open, as far as visible. Linux.

    Empty if there is none.
    """
    return next((name for process, name in _holders(path) if process != os.getpid()), "")


def users_of(path: str) -> list[str]:
    """Return the names of this user's programs that have a device open. Linux."""
    return sorted({name for _, name in _holders(path)})


def _holders(path: str) -> Iterator[tuple[int, str]]:
    """Yield number and name of each process that has a file open."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # most processes are other users', and some end meanwhile
            if any(str(link.readlink()) == path for link in (entry / "fd").iterdir()):
                yield int(entry.name), _line(entry / "comm")


def _enumerated_cameras() -> list[CameraInfo]:
    """List the cameras of Windows and macOS.

    DirectShow knows cameras that Media Foundation does not, and vice versa.
    """
    from cv2_enumerate_cameras import enumerate_cameras

    backends = (cv2.CAP_DSHOW, cv2.CAP_MSMF) if platform.system() == "Windows" else (cv2.CAP_AVFOUNDATION,)
    found: list[CameraInfo] = []
    faults: list[Exception] = []
    for backend in backends:
        try:
            listed = list(enumerate_cameras(backend))
        except Exception as problem:  # the other backend may know them
            log.exception("the cameras of backend %d could not be listed", backend)
            faults.append(problem)
            continue
        known = {camera.name for camera in found}
        found += [
            CameraInfo(
                camera.name,
                camera.index,
                backend,
                kind="virtual" if camera.name in VIRTUAL else kind_of(camera.name, []),
            )
            for camera in listed
            if camera.name not in known
        ]
    if faults and not found:
        raise faults[0]
    return found


def _with_unique_names(cameras: list[CameraInfo]) -> Iterable[CameraInfo]:
    """Number cameras of equal names, so that a name can be remembered."""
    count: dict[str, int] = {}
    for camera in cameras:
        count[camera.name] = number = count.get(camera.name, 0) + 1
        yield camera if number == 1 else replace(camera, name=f"{camera.name} ({number})")


def _tidy(name: str) -> str:
    """Clean up a camera's name: one line, single spaces, no repetition.

    USB cameras call themselves "Webcam: Webcam", the second half cut off at 32 bytes.
    """
    name = " ".join(name.split())
    head, _, tail = name.partition(": ")
    return head if tail and head.startswith(tail) else name


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""

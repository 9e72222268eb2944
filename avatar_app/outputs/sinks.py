"""Send pictures to a camera, to an address, or nowhere.

The only file that imports pyvirtualcam.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from avatar_app.errors import OutputError
from avatar_app.outputs import v4l2loopback as loopback
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.pipewire import PipeWireCamera, require_pipewire
from avatar_app.outputs.virtual_cameras import (
    ABROAD,
    VirtualCamera,
    free_virtual_camera,
    list_virtual_cameras,
)
from avatar_app.text import NOTHING, Text, join

__all__ = ["Sink", "VirtualCamera", "list_virtual_cameras", "open_sink", "require_pipewire"]


class Sink(Protocol):
    """Takes pictures. Opened, used and closed in one thread.

    Attributes:
        name: for people.
    """

    name: str

    def send(self, picture: Outgoing) -> None:
        """Show a picture of the size the sink was opened for.

        Raises OutputError when the device is gone.
        """

    def watched(self) -> bool | None:
        """Whether anybody watches; None: unknown. It takes microseconds."""

    def close(self) -> None:
        """Close the device. May be called twice."""


class NoSink:
    """Drops every picture."""

    name = "none"

    def send(self, picture: Outgoing) -> None:
        pass

    def watched(self) -> bool:
        return False

    def close(self) -> None:
        pass


class StreamSink:
    """Sends pictures to an address."""

    def __init__(self, url: str, size: tuple[int, int], fps: int) -> None:
        from avatar_app.media.stream_writer import StreamWriter

        self._size = size
        self._writer = StreamWriter(url, size, fps)
        self.name = self._writer.name

    def send(self, picture: Outgoing) -> None:
        if picture.size != self._size:
            raise ValueError(f"the stream is of {self._size}, not for a picture of {picture.size}")
        self._writer.write(picture.planes)

    def watched(self) -> None:
        """Return None: the receivers of a stream are unknown."""

    def close(self) -> None:
        self._writer.close()


class Device(Protocol):
    """The part of ``pyvirtualcam.Camera`` that is used."""

    @property
    def device(self) -> str: ...

    def send(self, frame: npt.NDArray[np.uint8]) -> None: ...

    def close(self) -> None: ...


class VirtualCameraSink:
    """Sends pictures to an opened virtual camera, as planes.

    pyvirtualcam could convert RGB too, but holds the GIL meanwhile.
    """

    def __init__(self, device: Device, size: tuple[int, int], label: str) -> None:
        self.name = f"{label} ({device.device})" if label != device.device else label
        self._device = device
        self._size = size
        self._path = Path(device.device) if device.device.startswith("/dev/") else None
        self._audience = loopback.Audience(self._path) if self._path else None

    def send(self, picture: Outgoing) -> None:
        if picture.size != self._size:
            raise ValueError(
                f"the virtual camera was opened for {self._size}, not for a picture of {picture.size}"
            )
        if self._path and not self._path.exists():  # pyvirtualcam drops write errors
            raise OutputError(
                Text("The virtual camera {} is gone.", self._path),
                Text("Load the kernel module again, or choose another output."),
            )
        try:
            self._device.send(picture.planes)
        except (RuntimeError, OSError) as problem:
            raise OutputError(
                Text("The virtual camera {} takes no pictures: {}.", self.name, problem),
                Text("Open it again."),
            ) from None

    def watched(self) -> bool | None:
        return self._audience.is_there() if self._audience else None

    def close(self) -> None:
        if self._audience:
            self._audience.close()
        self._device.close()
        if self._path and not loopback.offers_output(self._path):
            loopback.end_stream(self._path)


def open_sink(kind: str, device: str, size: tuple[int, int], fps: int) -> Sink:
    """Open an output.

    Args:
        kind: one of ``session.controls.OUTPUTS``, or ``stream``.
        device: path or name of the virtual camera; empty: the first. For a ``stream`` its address. Other
            kinds have only one.
        size: width and height of the pictures, even numbers.
        fps: approximate pictures a second.

    Raises:
        OutputError: it cannot be opened; the hint says what to install or run.
    """
    if size[0] % 2 or size[1] % 2:
        raise ValueError(f"sides must be even, not {size}")
    if kind == "none":
        return NoSink()
    if kind == "virtual-camera":
        return _open_virtual_camera(device, size, fps)
    if kind == "pipewire":
        return PipeWireCamera(size, fps)
    if kind == "stream":
        return StreamSink(device, size, fps)
    raise ValueError(f"unknown output {kind!r}")


def _open_virtual_camera(device: str, size: tuple[int, int], fps: int) -> VirtualCameraSink:
    label = device
    if sys.platform.startswith("linux"):
        camera = free_virtual_camera(device)
        device, label = camera.path, camera.name
    try:
        import pyvirtualcam
    except ImportError as problem:
        raise OutputError(
            Text("The library pyvirtualcam cannot be loaded: {}.", problem),
            Text("Run `pip install pyvirtualcam`."),
        ) from None
    options: dict[str, Any] = {"fmt": pyvirtualcam.PixelFormat.I420, "device": device or None}
    try:
        opened = pyvirtualcam.Camera(size[0], size[1], fps, **options)
    except (RuntimeError, KeyError, OSError) as problem:
        raise cannot_open(device, str(problem)) from None
    sink = VirtualCameraSink(opened, size, label or opened.device)
    shown = loopback.shown_format(Path(device)) if sys.platform.startswith("linux") else None
    if shown and shown != (size, loopback.I420):
        sink.close()
        raise _still_shown(device, shown[0], size)
    return sink


def _still_shown(device: str, shown: tuple[int, int], size: tuple[int, int]) -> OutputError:
    """Return the error for a call that still shows another picture format."""
    if shown != size:
        message = Text(
            "A call still shows the virtual camera {} at {} x {}, not at {} x {}.",
            device,
            shown[0],
            shown[1],
            size[0],
            size[1],
        )
        return OutputError(
            message, Text("Turn the camera off in the call and on again, or choose that size.")
        )
    return OutputError(
        Text("A call still shows the virtual camera {} as another program has left it.", device),
        Text("Turn the camera off in the call and on again."),
    )


def cannot_open(device: str, said: str, platform: str = sys.platform) -> OutputError:
    """Return the error for a device that pyvirtualcam refused with this message."""
    cause = "; ".join(line.partition("backend: ")[2] or line for line in said.splitlines()).rstrip(".")
    message = (
        Text("The virtual camera {} cannot be opened: {}.", device, cause)
        if device
        else Text("The virtual camera cannot be opened: {}.", cause)
    )
    if "in use" in said or "busy" in said.lower():
        hint = Text("Close the program that sends to it, or choose another output.")
        finder = Text("`fuser {}` names it.", device) if device.startswith("/dev/") else NOTHING
        return OutputError(message, join([hint, finder]))
    if platform in ABROAD:
        return OutputError(message, ABROAD[platform])
    return OutputError(
        message, Text("Run `sudo modprobe -r v4l2loopback`, load it again and retry; `doctor` says more.")
    )

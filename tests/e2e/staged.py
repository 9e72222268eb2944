"""Run the app with a fake camera and virtual camera, for pictures of its window.

The lists of devices are fake, the camera's pictures come from an address, and sent pictures are dropped;
everything else is the real app.

python -m tests.e2e.staged ADDRESS [OPTIONS OF THE APP]
"""

from __future__ import annotations

import dataclasses
import functools
import sys

from avatar_app.cameras.opening import Source, open_source
from avatar_app.cli import main
from avatar_app.gui import device_lists, start
from avatar_app.gui.live import Live
from avatar_app.motion.calibration import NeutralStore
from avatar_app.outputs.sinks import NoSink, Sink, VirtualCameraSink
from avatar_app.paths import user_neutrals
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from avatar_app.text import NOTHING
from avatar_app.types import Image

CAMERA, VIRTUAL_CAMERA = "Integrated Camera", "OBS Virtual Camera"


class Device:
    """A virtual camera that drops its input."""

    device = VIRTUAL_CAMERA

    def send(self, frame: Image) -> None: ...

    def close(self) -> None: ...


def found() -> device_lists.Found:
    """This computer's devices, and the two fake cameras."""
    outlet = device_lists.Outlet(VIRTUAL_CAMERA, VIRTUAL_CAMERA)
    real = device_lists.look()
    return dataclasses.replace(
        real, cameras=(CAMERA,), virtual_cameras=(outlet,), virtual_problem=NOTHING, pipewire_problem=NOTHING
    )


def make_session(address: str, controls: Controls) -> Live:
    def staged_source(text: str) -> Source:
        source = open_source(address)
        source.name = source.name.replace(address, CAMERA)
        return source

    def staged_sink(kind: str, device: str, size: tuple[int, int], fps: int) -> Sink:
        return VirtualCameraSink(Device(), size, VIRTUAL_CAMERA) if kind == "virtual-camera" else NoSink()

    return Session(controls, NeutralStore(user_neutrals()), open_source=staged_source, open_sink=staged_sink)


if __name__ == "__main__":
    start.make_session = functools.partial(make_session, sys.argv.pop(1))
    start.DeviceLists = functools.partial(device_lists.DeviceLists, found)  # type: ignore[assignment,attr-defined]
    sys.exit(main())

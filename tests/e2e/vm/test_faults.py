"""A session between real devices that are unplugged, in use, missing or changed.

What the user is told, and that the session recovers by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.sinks import Sink, open_sink
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from avatar_app.types import Image
from tests.e2e.vm.call import Call
from tests.e2e.vm.devices import (
    AVATAR_CAM,
    FACE_CAM,
    NO_MACHINE,
    VIVID,
    Feeder,
    Vivid,
    load_loopback,
    unload_loopback,
)
from tests.e2e.vm.stand_ins import NumberingEngine, SteadyDetector
from tests.session.live import has_pattern, write_photo

pytestmark = NO_MACHINE

PATIENCE = 20.0
"""Seconds of the machine's own clock, by which nothing is slow."""
MISSING = "/dev/video99"

HOLDER = """
import sys, cv2
camera = cv2.VideoCapture(sys.argv[1], cv2.CAP_V4L2)
print(camera.read()[0], flush=True)
sys.stdin.read()
"""


class Watched:
    """The real output, which records what is sent to it."""

    def __init__(self, sink: Sink, bench: Bench) -> None:
        self._sink, self._bench = sink, bench
        self.name = sink.name

    def watched(self) -> None:
        pass

    def send(self, picture: Outgoing) -> None:
        image = picture.rgb()
        sample = image[::8, ::8]
        red = (sample[..., 0] > 150) & (sample[..., 1:] < 60).all(2)
        self._bench.leaks += bool(red.mean() > 0.02) or has_pattern(image)
        self._sink.send(picture)

    def close(self) -> None:
        self._sink.close()


class Bench:
    """A session with the real camera and output, and its messages."""

    def __init__(self, photo: Path, source: str, output_device: str = AVATAR_CAM) -> None:
        self.leaks = 0
        controls = Controls(
            source,
            photo,
            model="numbering",
            output="virtual-camera",
            output_device=output_device,
            size=(640, 480),
            fps=5,
        )
        self.session = Session(
            controls,
            open_engine=lambda model, device: NumberingEngine(),
            open_detector=SteadyDetector,
            open_sink=lambda kind, device, size, fps: Watched(open_sink(kind, device, size, fps), self),
        )

    def notice(self, about: str) -> str:
        return next(
            (
                f"{n.message} {n.hint}"
                for n in self.session.status().notices
                if n.about == about and n.level == "error"
            ),
            "",
        )

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"waited in vain for {what}: {self.session.status()}"
            time.sleep(0.05)  # between two attempts

    def wait_for_notice(self, about: str, *parts: str) -> None:
        self.wait_for(lambda: any(part in self.notice(about) for part in parts), f"a notice with {parts}")

    def wait_for_avatar(self) -> None:
        """No notices, and new pictures reach the device."""

        def look() -> bool:
            status = self.session.status()
            well = status.shows == "avatar" and status.camera and status.output and not status.notices
            return bool(well and status.statistics.avatar_fps > 0)

        self.wait_for(look, "the avatar")


@contextmanager
def running(photo: Path, source: str, calibrated: bool = True) -> Iterator[Bench]:
    bench = Bench(photo, source)
    bench.session.start()
    try:
        if calibrated:
            bench.wait_for(lambda: bench.session.status().match is not None, "a face")
            bench.session.recalibrate()
            bench.wait_for_avatar()
        yield bench
    finally:
        stuck = bench.session.stop()
    assert not stuck
    assert bench.leaks == 0


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_photo(tmp_path)


def recalibrate(bench: Bench) -> None:
    bench.wait_for(lambda: bench.session.status().match is not None, "a face")
    bench.session.recalibrate()
    bench.wait_for_avatar()


def test_the_source_would_be_noticed(vivid: Vivid, photo: Path) -> None:
    bench = Bench(photo, VIVID)
    bench.session.change(pass_through=True)
    bench.session.start()
    try:
        bench.wait_for(lambda: bench.leaks > 2, "the source")
    finally:
        assert not bench.session.stop()


def test_webcam_that_is_pulled_out_and_plugged_in(vivid: Vivid, photo: Path) -> None:
    with running(photo, VIVID) as bench:
        vivid.pull_out()
        bench.wait_for_notice("camera", "was unplugged", f'There is no camera, file or folder "{VIVID}"')
        bench.wait_for(lambda: bench.session.status().shows == "card", "the card")
        vivid.plug_in()
        bench.wait_for_avatar()
        vivid.set("disconnect", 1)  # the device file stays, and works again once nobody has it open
        bench.wait_for_notice("camera", "has sent no picture", "cannot be opened")
        bench.wait_for_avatar()


def test_webcam_that_hangs(vivid: Vivid, photo: Path) -> None:
    with running(photo, VIVID) as bench:
        vivid.set("osd_text_mode", 2)  # no clock in the picture, which then stands still
        bench.wait_for_notice("camera", "one and the same picture")
        vivid.set("osd_text_mode", 0)
        bench.wait_for_avatar()


def test_webcam_that_another_program_uses(vivid: Vivid, photo: Path) -> None:
    command = [sys.executable, "-c", HOLDER, VIVID]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "True\n"
        with running(photo, VIVID, calibrated=False) as bench:
            bench.wait_for_notice("camera", "is in use by python")
            holder.communicate("")
            recalibrate(bench)


def test_webcam_that_is_not_there(vivid: Vivid, photo: Path) -> None:
    with running(photo, MISSING, calibrated=False) as bench:
        bench.wait_for_notice("camera", f'There is no camera, file or folder "{MISSING}"')
        bench.session.change(source=VIVID)
        recalibrate(bench)
        bench.session.change(source="")  # the first camera: not one that other programs feed
        bench.wait_for(lambda: bench.session.status().camera.startswith("vivid"), "the first camera")
        bench.wait_for_avatar()


@pytest.mark.parametrize("size", [(333, 251), (241, 427)])
def test_webcam_of_odd_size(size: tuple[int, int], face_frames: list[Image], photo: Path) -> None:
    with Feeder(FACE_CAM, face_frames, size), running(photo, FACE_CAM) as bench:
        seen = bench.session.seen()
        assert seen is not None
        assert seen.frame.image.shape == (size[1], size[0], 3)


def test_webcam_that_changes_its_size(face_frames: list[Image], photo: Path) -> None:
    with Feeder(FACE_CAM, face_frames) as feeder, running(photo, FACE_CAM) as bench:
        feeder.unplug()
        bench.wait_for_notice("camera", "has sent no picture", "cannot be opened", "was unplugged")
        with Feeder(FACE_CAM, face_frames, (640, 360)):
            bench.wait_for_avatar()
            assert "640 x 360" in bench.session.status().camera


def test_virtual_camera_that_another_program_sends_to(vivid: Vivid, photo: Path) -> None:
    other = Feeder(AVATAR_CAM, [np.zeros((480, 640, 3), np.uint8)], (640, 480))
    with other, running(photo, VIVID, calibrated=False) as bench:
        bench.wait_for_notice("output", f"Another program sends to the virtual camera {AVATAR_CAM}")
        bench.wait_for(lambda: bench.session.shown() is not None, "the preview")
        call = os.open(AVATAR_CAM, os.O_RDWR | os.O_NONBLOCK)
        try:
            other.unplug()  # its RGB format stays while somebody has the device open
            bench.wait_for_notice("output", "as another program has left it")
        finally:
            os.close(call)
        recalibrate(bench)


def test_virtual_camera_that_comes_later(vivid: Vivid, photo: Path) -> None:
    unload_loopback()
    try:
        with running(photo, VIVID, calibrated=False) as bench:
            bench.session.change(output_device="")
            bench.wait_for_notice("output", "There is no virtual camera on this computer")
            load_loopback()
            recalibrate(bench)
            bench.session.change(output_device=MISSING)
            bench.wait_for_notice("output", f"There is no virtual camera {MISSING}")
            bench.session.change(output_device=AVATAR_CAM)
            bench.wait_for_avatar()
    finally:
        if not Path(AVATAR_CAM).exists():
            load_loopback()


def test_size_that_changes_while_a_call_looks(vivid: Vivid, photo: Path, tmp_path: Path) -> None:
    with running(photo, VIVID) as bench:
        with Call(AVATAR_CAM, tmp_path / "first") as first:
            bench.wait_for(lambda: len(set(first.numbers)) > 3, "the avatar in the call")
            bench.session.change(size=(1280, 720))
            bench.wait_for_notice("output", "A call still shows the virtual camera")
        bench.wait_for_avatar()
        with Call(AVATAR_CAM, tmp_path / "second") as second:
            bench.wait_for(lambda: len(set(second.numbers)) > 3, "the avatar at the new size")
            assert (second.arrivals[-1, :2] == (1280, 720)).all()
    for call in (first, second):
        assert (np.diff(call.numbers) >= 0).all()

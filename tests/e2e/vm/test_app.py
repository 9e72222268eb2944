"""The app in a separate process between a V4L2 webcam and a v4l2loopback camera, read by a third process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar_app.control.server import NotRunning, send_command
from avatar_app.errors import OutputError
from avatar_app.outputs.sinks import open_sink
from avatar_app.paths import shipped_avatars
from avatar_app.types import Image
from tests.e2e.vm.call import ROOT, Call
from tests.e2e.vm.devices import AVATAR_CAM, FACE_CAM, NO_MACHINE, Feeder
from tests.session.live import has_pattern

pytestmark = NO_MACHINE

PATIENCE = 60.0
ANNA = str(shipped_avatars() / "anna.jpg")


class App:
    """A process of the app."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, text=True
        )

    def status(self) -> dict[str, Any]:
        try:
            return send_command("status", 10.0)
        except NotRunning:
            assert self.process.poll() is None, self.process.communicate()[1]
            return {"shows": "", "reason": ""}

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"waited in vain for {what}: {self.status()}"
            assert self.process.poll() is None, self.process.communicate()[1]
            time.sleep(0.1)  # between two attempts

    def wait_until(self, shows: str, reason: str = "") -> None:
        def look() -> bool:
            status = self.status()
            return (status["shows"], status["reason"]) == (shows, reason)

        self.wait_for(look, f"{shows} {reason}")

    def stop(self) -> str:
        """End it as with Ctrl-C; returns its stderr."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.communicate(timeout=PATIENCE)[1]
        finally:
            self.process.kill()


def words(source: str, *more: str) -> list[str]:
    places = [
        "--source",
        source,
        "--avatar",
        ANNA,
        "--output",
        "virtual-camera",
        "--device-name",
        "AvatarCam",
    ]
    return ["live", *places, "--size", "640x480", "--fps", "5", *more]


def test_a_call(face_frames: list[Image], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    first, second = Call(AVATAR_CAM, tmp_path / "first"), Call(AVATAR_CAM, tmp_path / "second")
    with Feeder(FACE_CAM, face_frames) as webcam, first:
        app = App("-m", "tests.e2e.vm.app", *words(FACE_CAM, "--calibrate-after", "0", "--json", str(report)))
        try:
            app.wait_for(lambda: len(set(first.numbers)) >= 8, "the avatar in the call")
            with pytest.raises(OutputError, match="Another program sends"):
                open_sink("virtual-camera", AVATAR_CAM, (640, 480), 5)
            first.leave()
            app.wait_until("avatar")
            with second:
                app.wait_for(lambda: len(set(second.numbers)) >= 3, "the avatar in the next call")
                webcam.fall_silent()
                app.wait_until("card", "no-camera")
                assert any("has sent no picture" in text for text in app.status()["notices"])
                webcam.unplug()
                cards = second.cards
                app.wait_for(lambda: second.cards > cards + 3, "the card in the call")
                before = second.numbers[-1]
                with Feeder(FACE_CAM, face_frames, (333, 251)):
                    app.wait_until("avatar")
                    assert "333 x 251" in app.status()["camera"]
                    app.wait_for(lambda: second.numbers[-1] > before, "the avatar again")
        finally:
            said = app.stop()
    assert app.process.returncode == 130, said
    assert "Traceback" not in said
    assert json.loads(report.read_text())["stuck"] == []
    for call in (first, second):
        check(call)
    assert first.numbers[-1] <= second.numbers[0]
    open_sink("virtual-camera", AVATAR_CAM, (640, 480), 5).close()  # nothing keeps the device open


def check(call: Call) -> None:
    """The avatar's pictures are in order and of one size, and none shows the source."""
    numbers, arrivals = call.numbers, call.arrivals
    assert (np.diff(numbers) >= 0).all(), numbers
    assert (arrivals[:, :2] == (640, 480)).all()
    assert not any(has_pattern(picture) for picture in call.pictures())


def test_the_shipped_program_shows_its_card_and_never_the_webcam(face_cam: Feeder, tmp_path: Path) -> None:
    """The unmodified ``run.py live``.

    Its networks take seconds per picture here, so it shows the still card.
    """
    with Call(AVATAR_CAM, tmp_path / "call") as call:
        app = App("run.py", *words(FACE_CAM, "--calibrate-after", "-1"))
        try:
            app.wait_until("card", "uncalibrated")
            app.wait_for(lambda: call.cards >= 5, "the card in the call")
            assert not send_command("avatar nobody", 10.0)["ok"]
        finally:
            said = app.stop()
    assert app.process.returncode == 130, said
    assert "Traceback" not in said
    check(call)

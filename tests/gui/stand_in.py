"""A fake session.

The same methods, pictures that show when they were made, and a status that tests set.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from avatar_app.errors import OutputError
from avatar_app.motion.match import Match
from avatar_app.outputs.i420 import Outgoing, to_planes
from avatar_app.session.controls import Controls, SeenFrame, Statistics, Status, changed
from avatar_app.text import Text
from avatar_app.types import Array, Box, Frame, Image

CAMERA_SIZE = (640, 480)

LIVE = Status(
    shows="avatar",
    reason="",
    camera="Webcam C270, 640 x 480, 30 fps",
    engine="lite, ONNX Runtime, CPU",
    output="Avatar Camera (/dev/video9)",
    calibrated=True,
    face=True,
    match=Match(0.86, 0.91, 0.78, 1.0),
    statistics=Statistics(30.0, 27.4, 30.1, 48.2, 63.0, 34.0, 12, 80, 4120),
)
"""The status of a session in which everything works."""


def plain(width: int, height: int, colour: tuple[int, int, int]) -> Image:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


class StandIn:
    """Applies ``Controls`` at once.

    ``camera`` and ``sent`` are the newest pictures; ``status_now`` is the reported status.
    """

    def __init__(self, controls: Controls | None = None, status: Status = LIVE) -> None:
        self._controls = controls or Controls()
        self.status_now = status
        self.camera: Image | None = plain(*CAMERA_SIZE, (70, 80, 90))
        self.sent: Image | None = plain(1280, 720, (30, 120, 60))
        self.ghost: Image | None = None
        self.points: Array | None = None
        self.box: Box | None = Box(320.0, 240.0, 300.0)
        self.retried: list[str] = []
        self.snapshots: list[Path] = []
        self.started = self.stopped = False
        self._seen: SeenFrame | None = None
        self._shown: tuple[Image, Outgoing] | None = None
        self._index = 0

    @property
    def controls(self) -> Controls:
        return self._controls

    def change(self, **changes: Any) -> Controls:
        self._controls = changed(self._controls, **changes)
        return self._controls

    def recalibrate(self) -> None:
        self.change(calibrations=self._controls.calibrations + 1)

    def follow_face(self, x: float, y: float) -> None:
        self.change(picks=self._controls.picks + 1, picked=(x, y))

    def turn_camera(self) -> None:
        self.change(rotation=(self._controls.rotation + 90) % 360)

    def retry(self, about: str) -> None:
        self.retried.append(about)

    def report(self, **changes: Any) -> None:
        """Change the status."""
        self.status_now = dataclasses.replace(self.status_now, **changes)

    def status(self) -> Status:
        status = dataclasses.replace(
            self.status_now, recording=self._controls.recording, avatar=self._controls.avatar
        )
        if self._controls.paused:
            return dataclasses.replace(status, shows="card", reason="paused")
        if self._controls.pass_through:
            return dataclasses.replace(status, shows="self", reason="")
        return status

    def seen(self) -> SeenFrame | None:
        if self.camera is None:
            return None
        if self._seen is None or self._seen.frame.image is not self.camera:
            self._index += 1
            self._seen = SeenFrame(Frame(self.camera, 0.0, self._index), self.points, self.box)
        return self._seen

    def shown(self) -> Outgoing | None:
        if self.sent is None:
            return None
        card = self._controls.paused
        if self._shown is None or self._shown[0] is not self.sent or self._shown[1].is_card != card:
            self._shown = (self.sent, Outgoing(to_planes(self.sent), 0.0, is_card=card))
        return self._shown[1]

    def portrait(self) -> Image | None:
        return self.ghost

    def snapshot(self, path: Path) -> None:
        if self.sent is None:
            raise OutputError(
                Text("There is no picture to keep yet."), Text("Wait until the output shows one.")
            )
        self.snapshots.append(path)

    def start(self) -> None:
        self.started = True

    def stop(self) -> list[str]:
        self.stopped = True
        return []

"""Parts of a live session that a test controls.

A camera that shows a marked face, and an output that stores what it receives.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.errors import CameraError, EngineError, OutputError
from avatar_app.outputs.i420 import Outgoing
from avatar_app.session.controls import Controls, Status
from avatar_app.session.session import Session
from avatar_app.text import Text
from avatar_app.types import Avatar, Image, KeyPoints
from tests.session.stand_ins import DiscDetector, DrawingEngine, draw_face, draw_ground

PATTERN = (190, 0, 255)
"""A colour that only the camera's frames have: no output may contain it."""

PATIENCE = 20.0
"""Seconds that a test waits for something quick, on however busy a machine."""


def wait_for(condition: Callable[[], object], what: str = "") -> None:
    """Poll until true; AssertionError after ``PATIENCE``."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what or condition}"
        time.sleep(0.005)  # between two attempts, not instead of one


class MarkedCamera:
    """A camera of 100 frames a second; every frame carries ``PATTERN``.

    The test unplugs it, or refuses to open it.
    """

    name = "marked camera"
    live = True
    arrived = 0.0

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        if not bench.plugged:
            raise CameraError(Text("The camera is not there."), Text("Plug it in."))
        bench.opened += 1
        self._closed = threading.Event()
        self._count = 0

    def read(self) -> Image:
        if self._closed.wait(0.01) or not self._bench.plugged:
            raise CameraError(Text("The camera was unplugged."), Text("Plug it in again."))
        self._count += 1
        shift = (
            0 if self._bench.still else 10 * np.sin(self._count / 10)
        )  # a face that never moves would count as a picture
        image = draw_face(x=80 + shift, radius=24) if self._bench.face else draw_ground()
        image[:20, :40] = image[-20:, -40:] = PATTERN
        image[60, self._count % 160] ^= 1  # a sensor's noise
        self._bench.frames += 1
        self.arrived = time.monotonic()
        return image

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._bench.opened -= 1


class KeepingSink:
    """Records whether any picture contained ``PATTERN``, and the newest pictures."""

    name = "kept"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        if not bench.output_there:
            raise OutputError(Text("The output is not there."), Text("Plug it in."))
        bench.sinks += 1

    def send(self, picture: Outgoing) -> None:
        if not self._bench.output_there:
            raise OutputError(Text("The output is gone."), Text("Plug it in again."))
        self._bench.take(picture.rgb())

    def watched(self) -> bool | None:
        return self._bench.watched

    def close(self) -> None:
        self._bench.sinks -= 1


class FaultyEngine(DrawingEngine):
    """Fails, or takes long, on the test's request."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench
        self.name = bench.engine_name
        bench.engines += 1

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        if self._bench.engine_fault:
            raise EngineError(Text("The engine is out of memory."), Text("Close other programs."))
        return super().render(avatar, pose)

    def close(self) -> None:
        self._bench.engines -= 1


class Bench:
    """The test's control over the session's parts, and its observations of them."""

    def __init__(self) -> None:
        self.plugged = self.output_there = self.face = True
        self.engine_fault = self.still = False
        self.load_fault = ""
        self.watched: bool | None = None
        self.engine_name = "drawing"
        self.frames = self.opened = self.sinks = self.engines = self.leaks = self.sent = 0
        self.newest: Image | None = None

    def take(self, picture: Image) -> None:
        self.sent += 1
        self.newest = picture
        self.leaks += has_pattern(picture)

    def open_engine(self, model: str, device: str) -> FaultyEngine:
        if model == self.load_fault:
            raise EngineError(Text("The model {} does not fit.", model), Text("Choose another."))
        self.engine_name = model
        return FaultyEngine(self)

    @contextmanager
    def session(self, controls: Controls) -> Iterator[Session]:
        session = Session(
            controls,
            open_source=lambda text: MarkedCamera(self),
            open_engine=self.open_engine,
            open_detector=DiscDetector,
            open_sink=lambda kind, device, size, fps: KeepingSink(self),
        )
        session.start()
        try:
            yield session
        finally:
            stuck = session.stop()
            assert not stuck, f"stuck: {stuck}"


def has_pattern(picture: npt.NDArray[Any]) -> bool:
    """Whether a picture contains a block of the camera's colour, however scaled or compressed."""
    small = cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA).astype(int)
    close = (np.abs(small - np.array(PATTERN)) < 60).all(2)
    return int(close.sum()) > 20


def write_photo(folder: Path, name: str = "photo.png", radius: float = 40) -> Path:
    """A face of this radius in 160 x 160, drawn at twice the size so that it is sharp."""
    path = folder / name
    cv2.imwrite(str(path), draw_face(320, 320, 160, 160, 2 * radius))
    return path


def shows(session: Session, what: str, reason: str = "") -> Callable[[], bool]:
    def look() -> bool:
        status: Status = session.status()
        return status.shows == what and status.reason == reason

    return look

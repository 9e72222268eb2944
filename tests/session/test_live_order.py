"""From a webcam on the network to the output.

Every picture is based on a newer frame than the previous one, and none is the camera's own.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from avatar_app.cameras.opening import open_source
from avatar_app.faces.crop import Region
from avatar_app.faces.detector import FaceDetector, Located
from avatar_app.outputs.i420 import Outgoing
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from avatar_app.types import Avatar, Crop, Face, Image, KeyPoints
from tests.session.live import PATTERN, has_pattern, shows, wait_for, write_photo
from tests.support.heads import make_head
from tests.support.mjpeg import MjpegCamera, mark, read_mark

SIDE = 240


class WholeDetector(FaceDetector):
    """Detects one face that fills every picture, so that the crop shows all of it."""

    def __init__(self) -> None:
        super().__init__(None, None)

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        height, width = image.shape[:2]
        return [Face((make_head() * width * 0.5 + [width / 2, height / 2, 0]).astype(np.float32), 1.0)]

    def located(self, image: Image, region: Region) -> Located:
        return Located(self.find(image)[0])


class RepeatingEngine:
    """Writes the number read from the frame into its picture."""

    size = SIDE
    name = "repeating"
    reads_pictures = True

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._number: int | None = None

    def detect(self, crop: Crop) -> KeyPoints:
        assert crop.landmarks is not None
        self._number = read_frame_number(crop.image)
        return KeyPoints(crop.landmarks[:, :2], depth=crop.landmarks[:, 2])

    def encode(self, crop: Crop) -> Avatar:
        assert crop.landmarks is not None
        return Avatar(KeyPoints(crop.landmarks[:, :2], depth=crop.landmarks[:, 2]), None)

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        time.sleep(self._seconds)  # the work of a slow model
        return mark(np.full((SIDE, SIDE, 3), 90, np.uint8), self._number or 0)

    def close(self) -> None:
        pass


def read_frame_number(crop: Image) -> int | None:
    """The camera's frames are square with the mark on top.

    The crop shows them with a margin.
    """
    rows = np.flatnonzero((np.abs(crop.astype(int) - np.array(PATTERN)) < 60).all(2).any(1))
    columns = np.flatnonzero((np.abs(crop.astype(int) - np.array(PATTERN)) < 60).all(2).any(0))
    return (
        read_mark(crop[rows[0] - (rows[-1] - rows[0]) :, columns[0] : columns[-1] + 1]) if len(rows) else None
    )


class NumberSink:
    """Stores the number of every sent picture, and whether one contained the camera's pattern."""

    name = "numbers"

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.leaks = 0

    def watched(self) -> None:
        pass

    def send(self, picture: Outgoing) -> None:
        image = picture.rgb()
        self.leaks += has_pattern(image)
        side = image.shape[0]
        left = (image.shape[1] - side) // 2
        number = read_mark(image[:, left : left + side])
        if number is not None:
            self.numbers.append(number)

    def close(self) -> None:
        pass


def draw_frame(number: int) -> Image:
    """A square frame: its number in blocks on top, and below them a bar of the camera's own colour."""
    frame = mark(np.full((SIDE, SIDE, 3), 70, np.uint8), number)
    frame[24:44] = PATTERN
    return frame


@pytest.mark.parametrize("seconds", [0.0, 0.12])
def test_pictures_are_distinct_and_in_order_however_slow_the_engine(tmp_path: Path, seconds: float) -> None:
    sink = NumberSink()
    with MjpegCamera(draw_frame, fps=30) as camera:
        session = Session(
            Controls(
                source=camera.url,
                avatar=write_photo(tmp_path),
                output="virtual-camera",
                size=(640, 480),
                smoothing="off",
            ),
            open_source=open_source,
            open_engine=lambda model, device: RepeatingEngine(seconds),
            open_detector=WholeDetector,
            open_sink=lambda kind, device, size, fps: sink,
        )
        session.start()
        try:
            wait_for(shows(session, "card", "uncalibrated"))
            session.recalibrate()
            wait_for(shows(session, "avatar"))
            wait_for(lambda: len(set(sink.numbers)) >= 25)
        finally:
            assert session.stop() == []
    numbers = [number for number in sink.numbers if number]
    distinct = sorted(set(numbers))
    assert numbers == sorted(numbers), "an older frame came after a newer one"
    assert sink.leaks == 0
    if not seconds:
        assert np.median(np.diff(distinct)) <= 2, "most frames of a quick engine are shown"

"""A webcam that shows nobody.

The clip that comes with the app, every frame marked with a colour that no avatar has.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from avatar_app.paths import assets_folder
from avatar_app.types import Image
from tests.session.live import PATTERN
from tests.support.mjpeg import MjpegCamera
from tests.support.webcam import read_clip


@pytest.fixture(scope="session")
def marked_frames() -> list[Image]:
    frames = read_clip(assets_folder() / "driving.mp4", 480)
    for frame in frames:
        # At half height: a wide canvas would cut the top and the bottom of this square clip away.
        frame[180:300, :60] = frame[180:300, -60:] = PATTERN
    return frames


@pytest.fixture
def webcam(marked_frames: list[Image]) -> Iterator[MjpegCamera]:
    with MjpegCamera(lambda number: marked_frames[number % len(marked_frames)], fps=30) as camera:
        yield camera

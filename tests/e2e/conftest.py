"""Provide a webcam that shows no real person.

The clip that comes with the app, with every frame marked in a colour that no avatar has.
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
        # At half height: a wide canvas would cut off the top and bottom of this square clip.
        frame[180:300, :60] = frame[180:300, -60:] = PATTERN
    return frames


@pytest.fixture
def webcam(marked_frames: list[Image]) -> Iterator[MjpegCamera]:
    with MjpegCamera(lambda number: marked_frames[number % len(marked_frames)], fps=30) as camera:
        yield camera

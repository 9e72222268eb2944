"""Fixtures of tests that run only inside the virtual machine: ``make test-v4l2``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import pytest

from avatar_app.media.video import read_clip
from avatar_app.paths import assets_folder
from avatar_app.types import Image
from tests.e2e.vm.devices import FACE_CAM, VIVID, Feeder, Vivid
from tests.session.live import PATTERN


@pytest.fixture(autouse=True)
def user_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User folders that are not the user's own."""
    for name in ("RUNTIME_DIR", "DATA_HOME", "CONFIG_HOME", "CACHE_HOME"):
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path))
    tmp_path.chmod(0o700)


@pytest.fixture(scope="session")
def face_frames() -> list[Image]:
    """The frames of the included clip, marked with a colour that no avatar has."""
    frames = [
        cv2.resize(frame, (480, 270), interpolation=cv2.INTER_AREA)
        for frame in islice(read_clip(assets_folder() / "driving.mp4").frames(), 0, 72, 6)
    ]
    for frame in frames:
        frame[:40, :120] = frame[-40:, -120:] = PATTERN
    there = [frame.astype("uint8") for frame in frames]
    return there + there[-2:0:-1]  # and back: a face that hardly moves would count as a picture


@pytest.fixture
def face_cam(face_frames: list[Image]) -> Iterator[Feeder]:
    with Feeder(FACE_CAM, face_frames) as feeder:
        yield feeder


@pytest.fixture
def vivid() -> Vivid:
    """Plugged in, whatever state the previous test left."""
    camera = Vivid()
    if Path(VIVID).exists():
        camera.prepare()
    else:
        camera.plug_in()
    return camera

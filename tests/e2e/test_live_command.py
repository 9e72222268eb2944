"""``live`` as a user starts it.

A webcam on the network in, a video file out, with commands from another process.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from avatar_app.faces.detector import FaceDetector
from avatar_app.media.video import read_clip
from avatar_app.outputs.canvas import Canvas
from avatar_app.paths import shipped_avatars
from avatar_app.types import Frame, Image
from tests.e2e.program import PATIENCE, Program
from tests.session.live import has_pattern
from tests.support.mjpeg import MjpegCamera


def home(folder: Path) -> dict[str, str]:
    """The environment of a new user."""
    folder.chmod(0o700)
    names = ("RUNTIME_DIR", "DATA_HOME", "CONFIG_HOME", "CACHE_HOME")
    return os.environ | {f"XDG_{name}": str(folder) for name in names}


def test_a_whole_call(webcam: MjpegCamera, tmp_path: Path) -> None:
    film, report = tmp_path / "call.mp4", tmp_path / "report.json"
    anna = shipped_avatars() / "anna.jpg"
    words = [
        "--source",
        webcam.url,
        "--avatar",
        str(anna),
        "--output",
        str(film),
        "--json",
        str(report),
        "--calibrate-after",
        "-1",
    ]
    program = Program(home(tmp_path), *words)
    try:
        program.wait_until("card", "uncalibrated")
        assert program.control("recalibrate")["ok"]
        program.wait_until("avatar")
        assert program.control("pause")["ok"]
        program.wait_until("card", "paused")
        assert program.control("resume")["ok"]
        program.wait_until("avatar")
        assert not has_pytorch(program.process.pid), "an avatar on the processor needs no PyTorch"
        assert program.control("next")["ok"]
        webcam.unplug()
        status = program.wait_until("card", "no-camera")
        assert status["notices"]
        webcam.replug()
        program.wait_until("avatar")
        assert not program.control("raise")["ok"], "there is no window to raise"
    finally:
        said = program.stop()
    assert program.process.returncode == 130, said
    assert "Traceback" not in said
    facts = json.loads(report.read_text())
    assert facts["stuck"] == []
    check_film(film)


def has_pytorch(process: int) -> bool:
    """Whether its libraries are loaded by a process.

    Always False on systems that cannot tell.
    """
    maps = Path(f"/proc/{process}/maps")
    return maps.exists() and "libtorch" in maps.read_text()


def check_film(film: Path) -> None:
    """Still cards and avatars, never the camera itself."""
    pictures = list(read_clip(film).frames())
    assert not any(has_pattern(picture) for picture in pictures)
    detector = FaceDetector.open()
    different = {picture[::8, ::8].tobytes(): picture for picture in pictures}.values()
    avatars = [picture for picture in different if detector.find(picture, levels=1)]
    assert len(avatars) >= 5, "avatars were recorded, and they moved"
    assert any(
        np.abs(picture.astype(int) - pictures[0].astype(int)).mean() < 8 for picture in pictures[1:]
    ), "cards were recorded"


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    anna, film = str(shipped_avatars() / "anna.jpg"), tmp_path / "film.mp4"
    film.touch()
    for words, text in (
        (["--avatar", "nobody"], "There is no photo nobody"),
        (["--avatar", anna, "--fps", "900"], "900 is not a whole number from 5 to 60"),
        (["--avatar", anna, "--seconds", "nan"], "is not a number of seconds"),
        (["--avatar", anna, "--output", str(film)], "There is a file"),
        (
            ["--avatar", anna, "--output", str(tmp_path / "a.mp4"), "--json", str(tmp_path / "a.mp4")],
            "Two outputs",
        ),
        (["--avatar", anna, "--output", str(tmp_path / "no" / "film.mp4")], "folder"),
        (["--avatar", anna, "--model", "none-such"], "none-such"),
    ):
        program = Program(home(tmp_path), *words)
        said = program.process.communicate(timeout=PATIENCE)[1]
        assert program.process.returncode == 2
        assert said.startswith("error: ") and said.count("\n") == 1 and text in said, said


def test_the_camera_would_be_noticed_in_a_film(marked_frames: list[Image]) -> None:
    """This file's check can fail.

    A frame sent by pass-through is recognised at every size.
    """
    for size in ((640, 480), (1280, 720)):
        assert has_pattern(Canvas(size, "blur").compose_wide(Frame(marked_frames[0], 0.0, 0)).rgb())

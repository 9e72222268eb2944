"""``live`` as a user starts it: a webcam on the network in, a video file out, commands from another process meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from avatar_app.faces import FaceDetector
from avatar_app.paths import shipped_avatars
from avatar_app.video import read_clip
from tests.mjpeg import MjpegCamera
from tests.pipeline.live import has_pattern

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0


class Program:
    """``run.py live`` in a process of its own, and ``run.py control`` beside it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        folder.chmod(0o700)
        self.process = subprocess.Popen(
            [sys.executable, "run.py", "live", *arguments], cwd=ROOT, env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def control(self, command: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "run.py", "control", command, "--json"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"ok": False, "shows": "", "reason": "", "notices": []}
        return answer

    def wait_until(self, shows: str, reason: str = "") -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            status = self.control("status")
            if status["ok"] and (status["shows"], status["reason"]) == (shows, reason):
                return status
            assert self.process.poll() is None, "it ended early"
            assert time.monotonic() < until, f"never showed {shows} {reason}, but {status}"

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=PATIENCE)[1]


def test_a_whole_call(webcam: MjpegCamera, tmp_path: Path) -> None:
    film, report = tmp_path / "call.mp4", tmp_path / "report.json"
    anna = shipped_avatars() / "anna.jpg"
    words = ["--source", webcam.url, "--avatar", str(anna), "--output", str(film), "--json", str(report), "--calibrate-after", "-1"]
    program = Program(tmp_path, *words)
    try:
        program.wait_until("card", "uncalibrated")
        assert program.control("recalibrate")["ok"]
        program.wait_until("avatar")
        assert program.control("pause")["ok"]
        program.wait_until("card", "paused")
        assert program.control("resume")["ok"]
        program.wait_until("avatar")
        assert program.control("next")["ok"]
        webcam.unplug()
        status = program.wait_until("card", "no-camera")
        assert status["notices"]
        webcam.replug()
        program.wait_until("avatar")
        assert not program.control("raise")["ok"], "there is no window to raise"
    finally:
        said = program.stop()
    assert program.process.returncode == 0, said
    assert "Traceback" not in said
    facts = json.loads(report.read_text())
    assert facts["stuck"] == []
    check_film(film)


def check_film(film: Path) -> None:
    """Cards and avatars, never the camera itself."""
    pictures = list(read_clip(film).frames())
    assert not any(has_pattern(picture) for picture in pictures)
    detector = FaceDetector.open()
    sharp = [picture for picture in pictures[:: max(1, len(pictures) // 40)] if detector.find(picture, levels=1)]
    assert len(sharp) >= 5, "avatars were recorded"
    assert len({picture[::8, ::8].tobytes() for picture in sharp}) >= 5, "and they moved"
    assert any(np.abs(picture.astype(int) - pictures[0].astype(int)).mean() < 8 for picture in pictures[1:]), "cards were recorded"


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    anna = str(shipped_avatars() / "anna.jpg")
    for words, text in (
        (["--avatar", "nobody"], "There is no photo nobody"),
        (["--avatar", anna, "--fps", "900"], "900 pictures a second"),
        (["--avatar", anna, "--output", str(tmp_path / "no" / "film.mp4")], "folder"),
        (["--avatar", anna, "--model", "none-such"], "none-such"),
    ):
        program = Program(tmp_path, *words)
        said = program.process.communicate(timeout=PATIENCE)[1]
        assert program.process.returncode == 2
        assert said.startswith("error: ") and said.count("\n") == 1 and text in said, said

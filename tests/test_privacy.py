"""Nothing leaves this computer.

No library writes outside the app's own folders or opens a connection.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import pytest

from avatar_app.control.server import NotRunning, send_command

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="looks at the system's calls and at XDG folders"
)

ROOT = Path(__file__).parents[1]
PHOTO = str(ROOT / "assets" / "avatars" / "anna.jpg")
CLIP = str(ROOT / "assets" / "driving.mp4")
LIVE = ("live", "--source", CLIP, "--avatar", "anna", "--output", "none")
OWN = re.compile(r"(\.config|\.local/share|\.cache)/avatar-app/")
"""Where the app may store files in the home folder."""


def fresh(home: Path) -> dict[str, str]:
    """An environment with new user folders inside ``home``."""
    (home / "run").mkdir(mode=0o700, parents=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "ORT_", "DISPLAY", "WAYLAND"))
    }
    return kept | {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "QT_QPA_PLATFORM": "offscreen",
        "TMPDIR": str(home / "run"),
    }


def make_short_clip(path: Path) -> None:
    """Three frames with a face."""
    picture = cv2.imread(PHOTO)
    assert picture is not None
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, picture.shape[1::-1])
    for _ in range(3):
        writer.write(picture)
    writer.release()


def left(home: Path) -> list[str]:
    """Files in the home folder that do not belong to the app."""
    files = (str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())
    return [name for name in files if not OWN.match(name) and not name.startswith("run/")]


@pytest.mark.parametrize(
    "words",
    [
        ("models", "list"),
        (
            "animate",
            "--avatar",
            PHOTO,
            "--driving",
            "{home}/run/short.mp4",
            "--output",
            "{home}/run/made.mp4",
        ),
        (*LIVE, "--seconds", "3"),
    ],
    ids=["models", "animate", "live"],
)
def test_a_command_leaves_no_file_beside_its_own(words: tuple[str, ...], tmp_path: Path) -> None:
    environment = fresh(tmp_path)
    make_short_clip(tmp_path / "run" / "short.mp4")
    command = [sys.executable, "run.py", *(word.format(home=tmp_path) for word in words)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode in (0, 1), done.stderr  # a busy computer shows no avatar within three seconds
    assert left(tmp_path) == []


def test_the_window_leaves_no_file_beside_its_own(tmp_path: Path) -> None:
    environment = fresh(tmp_path)
    with subprocess.Popen(
        [sys.executable, "run.py", "--source", CLIP], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    ) as window:
        try:
            quit_when_it_runs(tmp_path / "run" / "avatar-app" / "control.socket", window)
        finally:
            window.kill()
    assert left(tmp_path) == []


def quit_when_it_runs(address: Path, window: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if (
                send_command("status", path=address)["reason"] == "uncalibrated"
            ):  # the model is loaded and has processed the camera
                break
        except NotRunning:
            assert window.poll() is None, "the window ended by itself"
        time.sleep(0.05)
    assert send_command("quit", path=address)["ok"]
    window.wait(30)


def can_trace() -> bool:
    strace = shutil.which("strace")
    return (
        strace is not None
        and subprocess.run([strace, "-qq", "true"], capture_output=True, check=False).returncode == 0
    )


def trace(words: tuple[str, ...], environment: Mapping[str, str], calls: Path) -> str:
    """Run a command of the app; returns its socket system calls, one per line."""
    strace = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=socket,connect,sendto,sendmsg",
        "-e",
        "signal=none",
        "-o",
        str(calls),
    ]
    command = [*strace, sys.executable, "run.py", *words]
    subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, timeout=120)
    return calls.read_text(errors="replace")


@pytest.mark.skipif(not can_trace(), reason="needs strace, and permission to use it")
def test_a_session_makes_no_connection(tmp_path: Path) -> None:
    """For a quarter of a minute.

    ONNX Runtime first looks up its host after nine seconds.
    """
    made = trace((*LIVE, "--seconds", "15"), fresh(tmp_path / "home"), tmp_path / "calls")
    assert "AF_UNIX" in made, "strace saw nothing"
    assert [line for line in made.splitlines() if "AF_INET" in line] == []

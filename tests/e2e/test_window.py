"""The app as a person uses it.

From the first start to a call, with keys, hotkeys from another window, and `control`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.desk import App, Desk, needs_desk
from tests.support.mjpeg import MjpegCamera

PICTURES = os.environ.get("AVATAR_SCREENSHOTS")
"""A folder for pictures of every step; by default among the test's other files."""


def settle(folder: Path, **settings: object) -> None:
    """Settings of an existing user."""
    path = folder / "avatar-app" / "settings.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 1, "first_run_done": True, **settings}))


def stop(app: App) -> None:
    """End it; Qt may print a message, Python may not."""
    code, said = app.stop()
    assert code == 130, said
    assert "Traceback" not in said and "Fatal" not in said, said


@needs_desk
def test_from_the_first_start_to_a_running_avatar(webcam: MjpegCamera, tmp_path: Path) -> None:
    pictures = Path(PICTURES or tmp_path / "pictures")
    home = tmp_path / "home"
    home.mkdir()
    with Desk(home) as desk:
        app = App(desk, "--source", webcam.url)
        desk.focus("First steps")
        app.shows("card", "no-avatar")
        desk.picture(pictures / "1-camera.png")
        desk.press("Return")  # Enter presses Next
        desk.picture(pictures / "2-avatar.png")
        desk.press("Escape")
        desk.focus("Avatar")
        desk.press("1")
        app.shows("card", "uncalibrated")
        desk.picture(pictures / "3-calibrate.png")
        desk.press("x")
        app.shows("avatar")
        desk.picture(pictures / "4-live.png")
        stop(app)
    kept = json.loads((home / "avatar-app" / "settings.json").read_text())
    assert kept["first_run_done"] and kept["avatar"] and kept["source"] == webcam.url


@needs_desk
def test_a_call_with_another_window_in_front(webcam: MjpegCamera, tmp_path: Path) -> None:
    settle(tmp_path, source=webcam.url)
    with Desk(tmp_path) as desk:
        app = App(desk)
        desk.focus("Avatar")
        desk.press("2")
        app.shows("card", "uncalibrated")
        desk.start("xterm", "-T", "call", "-e", "sleep", "600")
        desk.focus("call")
        desk.press("ctrl+alt+x")
        app.shows("avatar")
        desk.press("ctrl+alt+p")
        app.shows("card", "paused")
        desk.press("ctrl+alt+p")
        app.shows("avatar")
        desk.press("ctrl+alt+Next")
        assert app.control("previous")["ok"]
        assert app.control("recalibrate")["ok"]
        app.shows("avatar")
        webcam.unplug()
        assert app.shows("card", "no-camera")["notices"]
        webcam.replug()
        app.shows("avatar")
        # A second start brings the first window to the front and ends.
        second = desk.start(sys.executable, "run.py")
        assert second.wait(60) == 0
        desk.until(
            lambda: "Avatar" in desk.run("xdotool", "getactivewindow", "getwindowname"), "the window in front"
        )
        stop(app)


@needs_desk
@pytest.mark.parametrize(("settings", "scale"), [({"language": "ru"}, "1"), ({"theme": "dark"}, "2")])
def test_other_language_theme_and_scale(
    webcam: MjpegCamera, tmp_path: Path, settings: dict[str, str], scale: str
) -> None:
    pictures = Path(PICTURES or tmp_path / "pictures")
    settle(tmp_path, source=webcam.url, avatar="zola.jpg", **settings)
    with Desk(tmp_path, (1440 * int(scale), 900 * int(scale)), QT_SCALE_FACTOR=scale) as desk:
        app = App(desk)
        app.shows("card", "uncalibrated")
        assert app.control("recalibrate")["ok"]
        app.shows("avatar")
        desk.picture(pictures / f"{next(iter(settings.values()))}-scale-{scale}.png")
        stop(app)

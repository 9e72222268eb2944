"""Makes the pictures of the window in docs/images with the app itself; needs Xvfb, openbox, xdotool and scrot.

python -m tests.e2e.screenshots [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from avatar_app.paths import assets_folder
from tests.e2e.desk import App, Desk
from tests.e2e.test_window import settle
from tests.mjpeg import MjpegCamera
from tests.webcam import read_clip

SCREEN = (1320, 860)


def shoot(desk: Desk, path: Path) -> None:
    """The front window's content, without its frame."""
    desk.run("scrot", "-o", "-u", str(path))


def window(camera: MjpegCamera, folder: Path, name: str, photo: str, **settings: object) -> None:
    with tempfile.TemporaryDirectory() as home:
        settle(Path(home), source=camera.url, avatar=photo, show_ghost=False, **settings)
        with Desk(Path(home), SCREEN) as desk:
            app = App(desk)
            app.shows("card", "uncalibrated")
            app.control("recalibrate")
            app.shows("avatar")
            desk.focus("Avatar")
            time.sleep(4)  # so that rates are measured over more than the first moment
            shoot(desk, folder / name)
            app.stop()


def guide(camera: MjpegCamera, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as home, Desk(Path(home), SCREEN) as desk:
        app = App(desk, "--source", camera.url)
        desk.focus("First steps")
        app.shows("card", "no-avatar")
        time.sleep(2)
        shoot(desk, folder / "first-steps.png")
        app.stop()


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    frames = read_clip(assets_folder() / "driving.mp4", 640)
    with MjpegCamera(lambda number: frames[number % len(frames)], fps=30) as camera:
        window(camera, folder, "window.png", "zola.jpg", theme="light")
        window(camera, folder, "window-dark.png", "marco.jpg", theme="dark")
        guide(camera, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

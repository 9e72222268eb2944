"""Make the pictures of the window in docs/images with the app itself.

Needs Xvfb, openbox, xdotool and scrot.

The app runs as ``tests.e2e.staged`` starts it: with a camera and a virtual camera, whatever this computer
has.

python -m tests.e2e.screenshots [FOLDER] [--sizes] [--clip VIDEO]
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from avatar_app.gui.window_place import STATE_VERSION
from avatar_app.paths import assets_folder
from avatar_app.types import Image
from tests.e2e.desk import App, Desk
from tests.e2e.staged import CAMERA, VIRTUAL_CAMERA
from tests.e2e.test_window import settle
from tests.support.mjpeg import MjpegCamera
from tests.support.webcam import read_clip

SCREEN = (1320, 860)
CAMERA_SIZE = (640, 480)
DRAWER_OPEN = base64.b64encode(STATE_VERSION + b"1").decode()
SEAM = 30
"""Pixels over which a square picture fades into its surroundings."""


class StagedApp(App):
    """The app with the cameras of ``staged``."""

    def __init__(self, desk: Desk, camera: MjpegCamera, *words: str) -> None:
        self.desk = desk
        self.process = desk.start(sys.executable, "-m", "tests.e2e.staged", camera.url, *words)


def as_webcam(frame: Image) -> Image:
    """A square picture in the middle of a camera's, whose sides continue the square's edges."""
    width, height = CAMERA_SIZE
    square = cv2.resize(frame, (height, height), interpolation=cv2.INTER_CUBIC)
    side = (width - height) // 2
    wide = cv2.copyMakeBorder(square, 0, 0, side, width - height - side, cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(wide, (0, 0), 24)
    inside = np.interp(
        np.arange(width), [side, side + SEAM, side + height - SEAM, side + height], [0, 1, 1, 0]
    )[None, :, None]
    return np.asarray(wide * inside + soft * (1 - inside), np.uint8)


def shoot(desk: Desk, path: Path) -> None:
    """The front window's content, without its frame."""
    desk.run("scrot", "-o", "-u", str(path))


def window(
    camera: MjpegCamera, path: Path, photo: str, size: tuple[int, int], scale: int = 1, **settings: object
) -> None:
    """The window as large as a screen of this size allows, with a running avatar.

    Args:
        size: of the screen, in pixels.
    """
    with tempfile.TemporaryDirectory() as home:
        devices = {"source": CAMERA, "output": "virtual-camera", "output_device": VIRTUAL_CAMERA}
        settle(Path(home), avatar=photo, show_ghost=False, **devices, **settings)
        with Desk(Path(home), size, QT_SCALE_FACTOR=str(scale)) as desk:
            app = StagedApp(desk, camera)
            app.shows("card", "uncalibrated")
            app.control("recalibrate")
            app.shows("avatar")
            desk.focus("Avatar")
            if size != SCREEN:
                wide, high = str(size[0] - 4), str(size[1] - 30)  # the window manager's frame
                desk.run("xdotool", "getactivewindow", "windowmove", "0", "0", "windowsize", wide, high)
            time.sleep(4)  # so that rates are averaged over more than the start
            shoot(desk, path)
            app.stop()


def guide(camera: MjpegCamera, folder: Path) -> None:
    """All four steps."""
    with tempfile.TemporaryDirectory() as home, Desk(Path(home), SCREEN) as desk:
        app = StagedApp(desk, camera, "--source", CAMERA)
        desk.focus("First steps")
        app.shows("card", "no-avatar")
        time.sleep(2)
        shoot(desk, folder / "first-steps.png")
        for step in (2, 3):
            desk.press("alt+n")
            app.shows("card", "uncalibrated")
            time.sleep(1)
            shoot(desk, folder / f"first-steps-{step}.png")
        desk.press("x")
        app.shows("avatar")
        desk.press("alt+n")
        time.sleep(1)
        shoot(desk, folder / "first-steps-4.png")
        app.stop()


SIZES = {
    "1024x600": ((1024, 600), 1),
    "1280x720": ((1280, 720), 1),
    "1366x768": ((1366, 768), 1),
    "1920x1080": ((1920, 1080), 1),
    "2560x1440-scale-2": ((2560, 1440), 2),
}
"""Name -> size of the screen in pixels, and its scale."""


def every_size(camera: MjpegCamera, folder: Path) -> None:
    """The window on common screens, light and dark, in both languages.

    For inspection, not for the documents.
    """
    for name, (size, scale) in SIZES.items():
        for theme, language in (("light", "en"), ("dark", "ru"), ("dark", "en"), ("light", "ru")):
            path = folder / f"{name}-{theme}-{language}.png"
            state = DRAWER_OPEN if language == "ru" else ""
            options = {"theme": theme, "language": language, "window_state": state}
            window(camera, path, "zola.jpg", size, scale, **options, window_geometry="")


def driving_frames(clip: Path | None) -> list[Image]:
    """The camera's pictures: from a clip as a webcam would send it, or from the included one."""
    if clip:
        return read_clip(clip)
    return [as_webcam(frame) for frame in read_clip(assets_folder() / "driving.mp4")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    parser.add_argument("--sizes", action="store_true", help="every size, theme and language")
    parser.add_argument("--clip", type=Path, help="a video in place of a camera")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    frames = driving_frames(options.clip)
    with MjpegCamera(lambda number: frames[number % len(frames)], fps=30) as camera:
        if options.sizes:
            every_size(camera, folder)
            return 0
        window(camera, folder / "window.png", "zola.jpg", SCREEN, theme="light")
        window(
            camera, folder / "window-dark.png", "marco.jpg", SCREEN, theme="dark", window_state=DRAWER_OPEN
        )
        guide(camera, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

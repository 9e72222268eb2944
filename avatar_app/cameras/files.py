"""Play video files and folders of pictures in place of a camera.

At their own pace, repeatedly.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from avatar_app.errors import CameraError, ClipError, PortraitError
from avatar_app.files import reason
from avatar_app.media.photo import ENDINGS, picture_files, read_frame
from avatar_app.text import Text
from avatar_app.types import Image

LONGEST_WAIT = 1.0
"""Seconds after which a picture that stays is returned again, to show that the source is alive."""

CATCHING_UP = 0.5
"""Seconds that a late reader may spend on skipping frames; the remaining delay is dropped."""


class ClipSource:
    """A video file, paced by its own time stamps.

    Raises CameraError if it cannot be read.
    """

    live = False
    arrived = 0.0

    def __init__(self, path: Path) -> None:
        from avatar_app.media.video import read_clip

        try:
            self._clip = read_clip(path)
        except ClipError as problem:
            raise CameraError(problem.message, problem.hint) from None
        self.name = f"{path.name}, {self._clip.width} x {self._clip.height}"
        self._closed = threading.Event()
        self._frames = self._looped()
        self._waiting: tuple[Image, float] | None = None
        self._shown: Image | None = None
        self._start: float | None = None

    def read(self) -> Image:
        """Return the frame that is due, or wait for the next.

        A late reader misses the frames between.

        Raises:
            CameraError: the file is damaged from here on, gone, or closed.
        """
        try:
            image, due = self._waiting or self._next_due()
        except ClipError as problem:
            raise CameraError(problem.message, problem.hint) from None
        wait = due - self._now()
        self._waiting = (image, due) if wait > LONGEST_WAIT else None
        if self._closed.wait(min(wait, LONGEST_WAIT)):
            raise CameraError(Text("The clip {} was closed.", self._clip.path))
        self.arrived = time.monotonic()
        if self._waiting is None or self._shown is None:
            self._shown = image
        return self._shown

    def close(self) -> None:
        self._closed.set()
        with suppress(ValueError):  # another thread is reading; the file is closed with the last reference
            self._frames.close()

    def _now(self) -> float:
        """Return the seconds since the first frame was read."""
        if self._start is None:
            self._start = time.monotonic()
        return time.monotonic() - self._start

    def _next_due(self) -> tuple[Image, float]:
        """Return the next frame that is not over yet, and when it is due."""
        give_up = time.monotonic() + CATCHING_UP
        image, due = next(self._frames)
        while self._now() - due > 1 / self._clip.fps:
            if time.monotonic() > give_up:
                self._start = time.monotonic() - due
                break
            image, due = next(self._frames)
        return image, due

    def _looped(self) -> Generator[tuple[Image, float], None, None]:
        """Yield all frames repeatedly, each with its due time in seconds.

        The last one lasts as long as frames do on average.
        """
        begin = Fraction(0)
        while True:
            moment = Fraction(0)
            for image, moment in self._clip.timed_frames():
                yield image, float(begin + moment)
            begin += moment + 1 / self._clip.fps


class FolderSource:
    """The pictures of a folder, ordered by the numbers in their names.

    Raises CameraError if there are none.
    """

    live = False
    arrived = 0.0

    def __init__(self, path: Path, fps: int) -> None:
        self._path = path
        try:
            self._files = picture_files(path)
        except OSError as problem:
            raise CameraError(
                Text("The folder {} cannot be read: {}.", path, reason(problem)),
                Text("Check its permissions."),
            ) from None
        if not self._files:
            endings = " ".join(ENDINGS)
            raise CameraError(
                Text("The folder {} has no pictures in it.", path),
                Text("Choose one with files that end in {}.", endings),
            )
        height, width = read_picture(self._files[0]).shape[:2]
        self.name = f"{path.name or path}, {len(self._files)} pictures, {width} x {height}"
        self._fps = fps
        self._closed = threading.Event()
        self._count = 0
        self._start: float | None = None

    def read(self) -> Image:
        """Return the picture that is due, or wait for the next.

        A late reader misses the pictures between.

        Raises:
            CameraError: a picture is gone or damaged, or the source closed.
        """
        now = time.monotonic()
        self._start = now if self._start is None else self._start
        self._count = max(self._count, int((now - self._start) * self._fps))
        if self._closed.wait(max(0.0, self._start + self._count / self._fps - now)):
            raise CameraError(Text("The folder {} was closed.", self._path))
        self.arrived = time.monotonic()
        file = self._files[self._count % len(self._files)]
        self._count += 1
        return read_picture(file)

    def close(self) -> None:
        self._closed.set()


def read_picture(path: Path) -> Image:
    """Read an RGB picture; raise CameraError if it is gone or damaged."""
    try:
        return read_frame(path)
    except PortraitError as problem:
        raise CameraError(problem.message, Text("Take it out of the folder, or save it again.")) from None

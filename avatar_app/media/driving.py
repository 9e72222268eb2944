"""Read a driver from a clip, a folder of pictures, or one picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from avatar_app.errors import ClipError, PortraitError
from avatar_app.files import reason
from avatar_app.media.photo import picture_files, read_frame
from avatar_app.media.video import PictureGiven, Sound, read_clip
from avatar_app.text import Text
from avatar_app.types import Image


class Driving(Protocol):
    """Pictures of a driver with their times.

    Attributes:
        fps: pictures per second on average.
        frame_count: approximate number, 0 if unknown.
        sound: the sound that belongs to them, if any.
    """

    @property
    def path(self) -> Path: ...
    @property
    def fps(self) -> Fraction: ...
    @property
    def frame_count(self) -> int: ...
    @property
    def sound(self) -> Sound | None: ...

    def timed_frames(self) -> Iterator[tuple[Image, Fraction]]:
        """Yield each picture and its seconds after the first. Raises ClipError."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures at equal intervals.

    Attributes:
        path: their folder, or the one picture.
    """

    path: Path
    files: tuple[Path, ...]
    fps: Fraction
    sound: Sound | None = None

    @property
    def frame_count(self) -> int:
        return len(self.files)

    def part(self, start: Fraction, end: Fraction | None) -> Pictures:
        """Return the frames from ``start`` up to ``end``, in seconds.

        Raises ClipError if there are none.
        """
        last = None if end is None else math.ceil(end * self.fps)
        files = self.files[math.ceil(start * self.fps) : last]
        if not files:
            seconds = float(len(self.files) / self.fps)
            raise ClipError(
                Text("The pictures in {} are over after {} seconds.", self.path, f"{seconds:g}"),
                Text("Choose another part with --start and --end."),
            )
        return replace(self, files=files)

    def timed_frames(self) -> Iterator[tuple[Image, Fraction]]:
        """Yield each picture and its seconds after the first. Raises ClipError."""
        for index, file in enumerate(self.files):
            try:
                yield read_frame(file), index / self.fps
            except PortraitError as problem:
                raise ClipError(problem.message, problem.hint) from None


def read_driving(path: Path, fps: int, start: Fraction, end: Fraction | None) -> Driving:
    """Open a driver, from ``start`` up to ``end`` in seconds.

    Args:
        path: a clip, a folder of pictures, or a picture.
        fps: pictures a second of a folder.

    Raises:
        ClipError: it is missing, damaged, or none of them.
    """
    part = (start, end) if start or end is not None else None
    if path.is_dir():
        pictures = _of_folder(path, fps)
        return pictures.part(*part) if part else pictures
    try:
        clip = read_clip(path)
    except PictureGiven:
        if part:
            raise ClipError(
                Text("{} is one picture, which has no parts.", path), Text("Leave out --start and --end.")
            ) from None
        return Pictures(path, (path,), Fraction(fps))
    return clip.part(*part) if part else clip


def _of_folder(path: Path, fps: int) -> Pictures:
    try:
        files = picture_files(path)
    except OSError as problem:
        raise ClipError(
            Text("The folder {} cannot be read: {}.", path, reason(problem)), Text("Check its permissions.")
        ) from None
    if not files:
        raise ClipError(
            Text("The folder {} has neither clips nor pictures in it.", path),
            Text("Name another folder, or a clip."),
        )
    return Pictures(path, tuple(files), Fraction(fps))


def is_picture(driving: Driving) -> bool:
    """Whether it is one picture, not a folder or clip."""
    return isinstance(driving, Pictures) and driving.files == (driving.path,)

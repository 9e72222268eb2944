"""Make the results of ``animate``, one or many, with one open engine."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from avatar_app.bundles.bundle import Bundle, open_bundle
from avatar_app.commands.options import framing_of, strength_of
from avatar_app.commands.printer import say
from avatar_app.engines import Engine
from avatar_app.engines.open import open_engine
from avatar_app.errors import EngineError
from avatar_app.faces.detector import FaceDetector
from avatar_app.media.driving import Driving, is_picture, read_driving
from avatar_app.media.photo import read_portrait
from avatar_app.media.sound import read_sound
from avatar_app.session.clip import ClipOptions, Report, Track, animate_clip, track_driver
from avatar_app.session.clip_frames import ClipStyle
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.text import Text

Item = TypeVar("Item")


class Animator:
    """Makes results.

    Args:
        arguments: of the command.

    Raises:
        AvatarError: a further photo, the sound or the model cannot be opened.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._crop, self._options = arguments.crop, clip_options(arguments)
        self.bundle: Bundle = open_bundle(arguments.model)
        if arguments.adapt_variance and self.bundle.kind != "monkeynet":
            raise EngineError(
                Text("--adapt-variance is for Monkey-Net, and {} is another model.", self.bundle.name),
                Text("Leave it out, or choose a model with --model."),
            )
        self.engine: Engine = open_engine(self.bundle, arguments.device, arguments.threads)
        # A model of key points without landmarks animates anything, unless the crop depends on a face.
        needed = self.bundle.kind == "anchored" or arguments.crop == "auto"
        self._faces = FaceDetector.open() if needed else None

    def follow(self, clip: Driving) -> Track:
        """Track the driver in a clip, once for several photos. Raises ClipError."""
        return track_driver(self.engine, self._faces, clip, self._crop, Stopwatch(), progress_bar)

    def make(self, photo: Path, clip: Driving, output: Path, track: Track | None = None) -> Report:
        """Make one result. Raises AvatarError; nothing is left of it then."""
        # A single pose has no motion relative to itself.
        options = replace(self._options, relative=False) if is_picture(clip) else self._options
        picture = read_portrait(photo)
        return animate_clip(self.engine, self._faces, picture, clip, output, options, progress_bar, track)

    def describe(self, clip: Driving, output: Path, report: Report) -> str:
        """Return a line about a result."""
        frames = "1 frame" if report.frames == 1 else f"{report.frames} frames"
        rate = "" if is_picture(clip) else f" at {float(clip.fps):.4g} fps"
        return f"{output}: {frames}{rate}, {report.size[0]}x{report.size[1]}, by {self.engine.name}"

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


def clip_options(arguments: argparse.Namespace) -> ClipOptions:
    """Return the clip options. Raises AvatarError if a file cannot be read."""
    first: int | str = "first" if arguments.best_frame is None else arguments.best_frame
    return ClipOptions(
        relative=arguments.relative,
        adapt_scale=arguments.adapt_scale,
        neutral="best" if arguments.find_best_frame else first,
        crop=arguments.crop,
        look=ClipStyle(arguments.size, arguments.background, framing_of(arguments, arguments.whole_photo)),
        side_by_side=arguments.side_by_side,
        sound=arguments.audio,
        other_sound=read_sound(arguments.audio_from) if arguments.audio_from else None,
        strength=strength_of(arguments),
        smoothing=arguments.smoothing,
        more_photos=tuple(read_portrait(path) for path in arguments.more_photos),
        adapt_variance=arguments.adapt_variance,
        face=arguments.face,
    )


def driving(arguments: argparse.Namespace, path: Path) -> Driving:
    """Open the driver's clip or pictures. Raises ClipError."""
    return read_driving(path, arguments.fps or 25, arguments.start, arguments.end)


def say_made(notes: Iterable[str], line: str) -> None:
    """Print what was made, and the notes on it."""
    for note in notes:
        say(f"note: {note}", error=True)
    say(line)


def progress_bar(items: Iterable[Item], title: str, total: int | None) -> Iterable[Item]:
    """Show rate and time left, on a terminal only."""
    return tqdm(items, desc=title, total=total, unit="frame", disable=None, dynamic_ncols=True)

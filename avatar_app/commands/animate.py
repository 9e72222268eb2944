"""``animate``: a photo and a clip in, a video of the photo moving like the clip out."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from avatar_app.bundles.bundle import Bundle, open_bundle
from avatar_app.commands.numbers import MOST_THREADS, decimal, frame_size, offset, whole_number
from avatar_app.commands.printer import say
from avatar_app.engines.open import open_engine
from avatar_app.errors import OutputError
from avatar_app.faces.detector import FaceDetector
from avatar_app.files import require_apart, require_writable, write_json
from avatar_app.media.clip_writer import require_clip_output
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import Clip, read_clip
from avatar_app.motion.smoothing import STRENGTHS
from avatar_app.session.clip import CROPS, Report, Wishes, animate_clip
from avatar_app.session.clip_frames import TRANSPARENT, Look
from avatar_app.text import Text
from avatar_app.types import Framing

DEFAULT_MODEL = "lite"

Item = TypeVar("Item")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("files")
    files.add_argument(
        "--avatar", type=Path, required=True, metavar="PHOTO", help="the photo to bring to life"
    )
    files.add_argument(
        "--face",
        type=whole_number(1, 99),
        default=0,
        metavar="N",
        help="which face moves, from the left (default: the largest)",
    )
    files.add_argument(
        "--driving", type=Path, required=True, metavar="CLIP", help="the video whose motion it gets"
    )
    files.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="VIDEO",
        help="the result: .mp4, .m4v, .mov or .mkv; transparent: .webm, .mov or .png",
    )
    files.add_argument(
        "--json", type=Path, metavar="REPORT", help="write frames, speed and time per stage to this file"
    )
    files.add_argument(
        "--more-photos",
        type=Path,
        nargs="+",
        default=[],
        metavar="PHOTO",
        help="X2Face: further photos of the same person",
    )
    add_model_arguments(parser)
    motion = parser.add_argument_group("motion")
    way = motion.add_mutually_exclusive_group()
    way.add_argument(
        "--relative",
        action="store_true",
        default=True,
        help="the driver's motion since the neutral frame (default)",
    )
    way.add_argument(
        "--absolute",
        action="store_false",
        dest="relative",
        help="the driver's pose as it is; for faces that look alike",
    )
    yes_or_no = argparse.BooleanOptionalAction
    motion.add_argument(
        "--adapt-scale",
        action=yes_or_no,
        default=True,
        help="scale motion to the photo's face (default: yes)",
    )
    neutral = motion.add_mutually_exclusive_group()
    neutral.add_argument(
        "--best-frame",
        type=whole_number(0),
        metavar="N",
        help="the clip's neutral frame, from 0 (default: the first with a face)",
    )
    neutral.add_argument(
        "--find-best-frame", action="store_true", help="take the frame most like the photo as neutral"
    )
    motion.add_argument(
        "--smoothing", choices=list(STRENGTHS), default="light", help="of the motion (default: light)"
    )
    motion.add_argument(
        "--adapt-variance",
        action="store_true",
        help="Monkey-Net: change the photo's covariances as the driver's change (default: take the driver's)",
    )
    picture = parser.add_argument_group("picture and sound")
    picture.add_argument(
        "--crop",
        choices=CROPS,
        default="auto",
        help="around the face, the middle square, or all (default: auto)",
    )
    picture.add_argument(
        "--size",
        type=frame_size(64, 2048),
        metavar="PIXELS",
        help="side of the result, or WxH such as 1280x720 or 720x1280 (default: the model's own)",
    )
    picture.add_argument(
        "--background",
        metavar="B",
        help="behind the person: photo (what the photo shows there), blur, a colour such as #203040, a picture, or transparent "
        "(default: photo)",
    )
    picture.add_argument("--whole-photo", action="store_true", help="show all of the photo, in its own shape")
    picture.add_argument(
        "--zoom", type=decimal(0.5, 2), default=1.0, metavar="F", help="of the person, 0.5 to 2 (default: 1)"
    )
    picture.add_argument(
        "--offset",
        type=offset,
        default=(0.0, 0.0),
        metavar="X,Y",
        help="move the person right and down, in parts of the picture, such as 0.1,0 (default: 0,0)",
    )
    picture.add_argument("--side-by-side", action="store_true", help="show the driver beside the result")
    picture.add_argument("--audio", action="store_true", help="keep the clip's sound")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and where it runs."""
    model = add_device_arguments(parser)
    model.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        metavar="N",
        help="CPU threads (default: one for each core)",
    )


def add_device_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The same without the number of threads; returns their group."""
    model = parser.add_argument_group("model")
    what = f"a name that `models list` shows, or a folder (default: {DEFAULT_MODEL})"
    model.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME", help=what)
    model.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    return model


def run(arguments: argparse.Namespace) -> int:
    # Cheap checks first: a wrong path should not cost the time that a model takes to open.
    photo = read_portrait(arguments.avatar)
    clip = read_clip(arguments.driving)
    _require_output(arguments)
    wishes = _wishes(arguments)
    bundle = open_bundle(arguments.model)
    engine = open_engine(bundle, arguments.device, arguments.threads)
    try:
        # A model of key points without landmarks animates anything, if the crop does not depend on a face.
        faces = FaceDetector.open() if bundle.kind == "anchored" or arguments.crop == "auto" else None
        report = animate_clip(engine, faces, photo, clip, arguments.output, wishes, _progress_bar)
        for note in report.notes:
            say(f"note: {note}", error=True)
        width, height = report.size
        say(
            f"{arguments.output}: {report.frames} frames at {float(clip.fps):.4g} fps, {width}x{height}, by {engine.name}"
        )
        say(f"made in {report.seconds:.1f} s: {report.frames / report.seconds:.1f} frames per second")
        if arguments.json:
            _write_report(arguments.json, arguments, bundle, engine.name, clip, report)
    finally:
        engine.close()
    return 0


def _wishes(arguments: argparse.Namespace) -> Wishes:
    neutral = (
        "best"
        if arguments.find_best_frame
        else "first"
        if arguments.best_frame is None
        else arguments.best_frame
    )
    return Wishes(
        relative=arguments.relative,
        adapt_scale=arguments.adapt_scale,
        neutral=neutral,
        crop=arguments.crop,
        look=Look(
            arguments.size,
            arguments.background,
            Framing(arguments.zoom, arguments.offset[0], arguments.offset[1], arguments.whole_photo),
        ),
        side_by_side=arguments.side_by_side,
        sound=arguments.audio,
        smoothing=arguments.smoothing,
        more_photos=tuple(read_portrait(path) for path in arguments.more_photos),
        adapt_variance=arguments.adapt_variance,
        face=arguments.face,
    )


def _require_output(arguments: argparse.Namespace) -> None:
    require_clip_output(arguments.output, arguments.background == TRANSPARENT)
    if arguments.background == TRANSPARENT and arguments.side_by_side:
        raise OutputError(
            Text("A transparent result has no driver beside it."), Text("Leave out --side-by-side.")
        )
    if arguments.json:
        require_writable(arguments.json)
    require_apart(
        (arguments.output, arguments.json), (arguments.avatar, arguments.driving, *arguments.more_photos)
    )


def _write_report(
    path: Path, arguments: argparse.Namespace, bundle: Bundle, engine: str, clip: Clip, report: Report
) -> None:
    facts = {
        "avatar": str(arguments.avatar),
        "driving": str(arguments.driving),
        "output": str(arguments.output),
        "model": bundle.name,
        "engine": engine,
        "frames": report.frames,
        "clip_fps": float(clip.fps),
        "neutral_frame": report.neutral,
        "held_frames": report.held,
        "seconds": round(report.seconds, 3),
        "fps": round(report.frames / report.seconds, 2),
        "stages_ms": report.stages_ms,
        "notes": report.notes,
    }
    write_json(path, facts)


def _progress_bar(items: Iterable[Item], title: str, total: int | None) -> Iterable[Item]:
    """Rate and time left, on a terminal only."""
    return tqdm(items, desc=title, total=total, unit="frame", disable=None, dynamic_ncols=True)

"""``animate``: animate a photo with the motion of a clip, into a new video."""

from __future__ import annotations

import argparse
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from avatar_app.commands import batch, ray_tasks
from avatar_app.commands.animator import Animator, driving, say_made
from avatar_app.commands.cluster import OWN
from avatar_app.commands.numbers import clock_time, frame_size, whole_number
from avatar_app.commands.options import (
    add_face_argument,
    add_framing_arguments,
    add_model_arguments,
    add_motion_arguments,
    add_report_argument,
)
from avatar_app.commands.printer import say
from avatar_app.errors import ClipError, OutputError
from avatar_app.files import require_apart, require_writable, write_json
from avatar_app.media.driving import Driving, is_picture
from avatar_app.media.formats import require_clip_output, require_picture_output
from avatar_app.media.photo import read_portrait
from avatar_app.session.clip import CROPS, Report
from avatar_app.session.clip_frames import TRANSPARENT
from avatar_app.text import Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "With a folder of photos as --avatar or a folder of clips as --driving, every photo is animated "
        "with every clip, and "
        "--output is a folder. What is in it already is not made again; exit code 1 if one of the results "
        "could not be made."
    )
    _add_files(parser.add_argument_group("files"))
    add_model_arguments(parser)
    _add_motion(parser.add_argument_group("motion"))
    _add_picture(parser.add_argument_group("picture and sound"))


def _add_files(files: argparse._ArgumentGroup) -> None:
    files.add_argument(
        "--avatar",
        type=Path,
        required=True,
        metavar="PHOTO",
        help="the photo to animate, or a folder of photos",
    )
    add_face_argument(files)
    files.add_argument(
        "--driving",
        type=Path,
        required=True,
        metavar="CLIP",
        help="source of the motion: a clip, a folder of clips, a folder of numbered pictures, "
        "or one picture, whose pose is used unchanged",
    )
    files.add_argument(
        "--start",
        type=clock_time,
        default=Fraction(0),
        metavar="T",
        help="where to start in the clip, such as 12.5 or 1:02.5",
    )
    files.add_argument("--end", type=clock_time, metavar="T", help="where to end in the clip")
    files.add_argument(
        "--fps",
        type=whole_number(1, 120),
        metavar="N",
        help="pictures per second of a folder of pictures (default: 25)",
    )
    files.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="VIDEO",
        help="the result: .mp4, .m4v, .mov, .mkv, .webm, .gif, .webp or .png (animated); transparent: "
        ".webm, .mov, .webp, .png or "
        ".gif; of one driving picture: .png, .jpg or .webp; of folders: a folder",
    )
    files.add_argument(
        "--format",
        choices=batch.FORMATS,
        help="format of results in a folder (default: mp4; png for one driving picture)",
    )
    files.add_argument(
        "--cluster",
        nargs="?",
        const=OWN,
        metavar="ADDRESS",
        help="make several results of folders in parallel, with Ray: on this computer, or on "
        "the running cluster at ADDRESS (auto: the one on this computer), whose computers"
        " must have access to the same folders; each takes --threads cores (default: 1), "
        "with --device cuda also a graphics card",
    )
    add_report_argument(files, "frames, speed and time per stage, or what became of each result,")
    files.add_argument(
        "--more-photos",
        type=Path,
        nargs="+",
        default=[],
        metavar="PHOTO",
        help="X2Face: further photos of the same person",
    )


def _add_motion(motion: argparse._ArgumentGroup) -> None:
    add_motion_arguments(motion)
    neutral = motion.add_mutually_exclusive_group()
    neutral.add_argument(
        "--best-frame",
        type=whole_number(0),
        metavar="N",
        help="the clip's neutral frame, from 0, counted from --start (default: the first with a face)",
    )
    neutral.add_argument(
        "--find-best-frame",
        action="store_true",
        help="use the frame that resembles the photo most as the neutral one",
    )
    motion.add_argument(
        "--adapt-variance",
        action="store_true",
        help=(
            "Monkey-Net: adapt the photo's covariances to the driver's changes (default: use the driver's)"
        ),
    )


def _add_picture(picture: argparse._ArgumentGroup) -> None:
    picture.add_argument(
        "--crop",
        choices=CROPS,
        default="auto",
        help="crop around the face, the middle square, or the whole picture (default: auto)",
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
        help="background: photo (the photo's own), blur, a colour such as #203040, a picture, "
        "or transparent (default: photo)",
    )
    picture.add_argument(
        "--whole-photo", action="store_true", help="show the whole photo, in its own aspect ratio"
    )
    add_framing_arguments(picture)
    picture.add_argument("--side-by-side", action="store_true", help="show the driver beside the result")
    sound = picture.add_mutually_exclusive_group()
    sound.add_argument("--audio", action="store_true", help="keep the clip's sound")
    sound.add_argument(
        "--audio-from", type=Path, metavar="FILE", help="use the sound of another clip or of a sound file"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.end is not None and arguments.end <= arguments.start:
        start, end = (f"{float(moment):g}" for moment in (arguments.start, arguments.end))
        raise ClipError(
            Text("The end, {} s, does not come after the start, {} s.", end, start),
            Text("Give --end a later time."),
        )
    if arguments.fps and not arguments.driving.is_dir():
        raise ClipError(
            Text("--fps is for a folder of pictures."), Text("Leave it out: a clip keeps its own rate.")
        )
    folders = batch.folders_of(arguments.avatar, arguments.driving)
    if arguments.format and not folders:
        raise OutputError(
            Text("--format is for folders of photos or clips."),
            Text("The ending of --output says what a single result becomes."),
        )
    if arguments.cluster and not folders:
        raise OutputError(
            Text("--cluster is for folders of photos or clips."),
            Text("Leave it out, or name a folder as --avatar or --driving."),
        )
    return _make_all(arguments, folders) if folders else _make_one(arguments)


def _make_one(arguments: argparse.Namespace) -> int:
    # Cheap checks first: a wrong path should not cost the time of opening a model.
    read_portrait(arguments.avatar)
    clip = driving(arguments, arguments.driving)
    _require_look(arguments, arguments.output, is_picture(clip))
    require_apart(
        (arguments.output, arguments.json),
        (arguments.avatar, arguments.driving, arguments.audio_from, *arguments.more_photos),
    )
    animator = Animator(arguments)
    try:
        report = animator.make(arguments.avatar, clip, arguments.output)
        say_made(report.notes, animator.describe(clip, arguments.output, report))
        say(f"made in {report.seconds:.1f} s: {report.frames / report.seconds:.1f} frames per second")
        if arguments.json:
            write_json(arguments.json, _facts(arguments, animator, clip, report))
    finally:
        animator.close()
    return 0


def _make_all(arguments: argparse.Namespace, folders: batch.Folders) -> int:
    one = len(folders.clips) == 1 and is_picture(driving(arguments, folders.clips[0]))
    jobs = batch.jobs_of(folders, arguments.output, arguments.format or ("png" if one else "mp4"))
    batch.require_folder(arguments.output)
    # One name represents all: they do not differ in anything relevant.
    _require_look(arguments, arguments.output.with_suffix(jobs[0].output.suffix), one)
    require_apart((arguments.output, arguments.json), (arguments.avatar, arguments.driving))
    if arguments.cluster:
        results = batch.make_all(jobs, partial(ray_tasks.make, arguments), one_bar=True)
    else:
        here = partial(batch.make_here, lambda: Animator(arguments), partial(driving, arguments))
        results = batch.make_all(jobs, here)
    say(batch.summary(results))
    if arguments.json:
        write_json(arguments.json, batch.results_report(results))
    return int(any(result.error for result in results))


def _require_look(arguments: argparse.Namespace, output: Path, picture: bool) -> None:
    """Raise OutputError if the result cannot be written."""
    alpha = arguments.background == TRANSPARENT
    (require_picture_output if picture else require_clip_output)(output, alpha)
    if alpha and arguments.side_by_side:
        raise OutputError(
            Text("A transparent result has no driver beside it."), Text("Leave out --side-by-side.")
        )
    if arguments.json:
        require_writable(arguments.json)


def _facts(
    arguments: argparse.Namespace, animator: Animator, clip: Driving, report: Report
) -> dict[str, Any]:
    return {
        "avatar": str(arguments.avatar),
        "driving": str(arguments.driving),
        "output": str(arguments.output),
        "model": animator.bundle.name,
        "engine": animator.engine.name,
        "frames": report.frames,
        "clip_fps": float(clip.fps),
        "neutral_frame": report.neutral,
        "held_frames": report.held,
        "seconds": round(report.seconds, 3),
        "fps": round(report.frames / report.seconds, 2),
        "stages_ms": report.stages_ms,
        "notes": report.notes,
    }

"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar_app.commands.numbers import MOST_THREADS, decimal, offset, whole_number
from avatar_app.motion.head import Strength
from avatar_app.motion.smoothing import STRENGTHS
from avatar_app.types import Framing

DEFAULT_MODEL = "lite"

STRONGEST = 1.5
"""Limit of the window's sliders."""

Options = argparse._ArgumentGroup | argparse.ArgumentParser


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model, its device and threads."""
    model = add_device_arguments(parser)
    model.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        metavar="N",
        help="CPU threads (default: one for each core)",
    )


def add_device_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the model and its device, without threads; return their group."""
    model = parser.add_argument_group("model")
    what = f"a name that `models list` shows, or a folder (default: {DEFAULT_MODEL})"
    model.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME", help=what)
    where = "auto, cpu, cuda, cuda:N, webgpu, or the pairing line of another computer (default: auto)"
    model.add_argument("--device", default="auto", help=where)
    return model


def add_face_argument(files: Options) -> None:
    """Add the choice of the photo's face."""
    files.add_argument(
        "--face",
        type=whole_number(1, 99),
        default=0,
        metavar="N",
        help="number of the photo's face, from the left (default: the largest)",
    )


def add_motion_arguments(motion: Options) -> None:
    """Add how motion is transferred."""
    way = motion.add_mutually_exclusive_group()
    way.add_argument(
        "--relative",
        action="store_true",
        default=True,
        help="use the driver's motion relative to the neutral pose (default)",
    )
    way.add_argument(
        "--absolute",
        action="store_false",
        dest="relative",
        help="use the driver's absolute pose; for similar faces",
    )
    motion.add_argument(
        "--adapt-scale",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="scale motion to the photo's face (default: yes)",
    )
    motion.add_argument(
        "--smoothing",
        choices=list(STRENGTHS),
        default="light",
        help="smoothing of the motion (default: light)",
    )
    what = "factor on the {}, 0 to 1.5: 0 none, 1 unchanged (default: 1)"
    for name, part in (
        ("head", "head's motion"),
        ("expression", "face's motion"),
        ("gaze", "eyes' motion"),
    ):
        motion.add_argument(
            f"--{name}", type=decimal(0, STRONGEST), default=1.0, metavar="F", help=what.format(part)
        )


def strength_of(arguments: argparse.Namespace) -> Strength:
    """Return the factors of --head, --expression and --gaze."""
    return Strength(arguments.head, arguments.expression, arguments.gaze)


def add_framing_arguments(picture: Options) -> None:
    """Add position and size of the person."""
    picture.add_argument(
        "--zoom",
        type=decimal(0.5, 2),
        default=1.0,
        metavar="F",
        help="size of the person, 0.5 to 2 (default: 1)",
    )
    picture.add_argument(
        "--offset",
        type=offset,
        default=(0.0, 0.0),
        metavar="X,Y",
        help="move the person right and down, as fractions of the picture, such as 0.1,0 (default: 0,0)",
    )


def framing_of(arguments: argparse.Namespace, whole: bool) -> Framing:
    """Return the framing of --zoom and --offset."""
    return Framing(arguments.zoom, arguments.offset[0], arguments.offset[1], whole)


def add_report_argument(files: Options, what: str) -> None:
    """Add the file for figures."""
    files.add_argument("--json", type=Path, metavar="REPORT", help=f"write {what} to this file")

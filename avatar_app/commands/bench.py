"""``bench``: measure how fast a model runs here.

The original networks run beside it, as their authors run them.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from avatar_app.bundles.bundle import Bundle, open_bundle
from avatar_app.commands.demo import demo_files
from avatar_app.commands.numbers import MOST_THREADS, whole_number
from avatar_app.commands.options import add_device_arguments
from avatar_app.commands.printer import say
from avatar_app.engines.open import cuda_problem
from avatar_app.errors import OutputError
from avatar_app.evaluation.benchmark.chain import CALL_SIZE, camera_pictures
from avatar_app.evaluation.benchmark.report import make_report
from avatar_app.evaluation.benchmark.resize import resized
from avatar_app.evaluation.benchmark.runs import Plan, measure
from avatar_app.files import require_apart, require_writable, write_json
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.outputs.sinks import Sink, open_sink
from avatar_app.paths import assets_folder
from avatar_app.processor import cores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_device_arguments(parser)
    parser.add_argument(
        "--threads",
        type=_threads,
        default="all",
        metavar="N,...",
        help="CPU threads: a number, all, or several such as 1,2,all, which alternate in one "
        "run (default: all)",
    )
    parser.add_argument(
        "--size",
        type=whole_number(1),
        metavar="PIXELS",
        help="side of the pictures, in float32 (default: the model's own)",
    )
    parser.add_argument(
        "--frames",
        type=whole_number(1),
        default=200,
        metavar="N",
        help="number of measured frames (default: 200)",
    )
    parser.add_argument(
        "--reference-frames",
        type=whole_number(0),
        default=20,
        metavar="N",
        help="measured frames of the original, which is slow; 0: none (default: 20)",
    )
    parser.add_argument(
        "--avatar", type=Path, metavar="PHOTO", help="photo to animate (default: the app's own)"
    )
    parser.add_argument(
        "--driving", type=Path, metavar="CLIP", help="clip that drives it (default: the app's own)"
    )
    parser.add_argument(
        "--output",
        choices=["auto", "none", "virtual-camera", "pipewire"],
        default="auto",
        help="where pictures are sent; auto: to a virtual camera if one is free (default: auto)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to this file")


def run(arguments: argparse.Namespace) -> int:
    if arguments.json:
        require_writable(arguments.json)
        require_apart([arguments.json], [arguments.avatar, arguments.driving])
    given = arguments.avatar and arguments.driving
    photo_path, clip_path = (arguments.avatar, arguments.driving) if given else demo_files(assets_folder())
    photo = read_portrait(arguments.avatar or photo_path)
    jpegs = camera_pictures(
        list(islice(read_clip(arguments.driving or clip_path).frames(), arguments.frames))
    )
    bundle = open_bundle(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.size:
            bundle = resized(bundle, arguments.size, Path(folder) / bundle.name)
        report = _measured(
            arguments, bundle, Plan(jpegs, photo, arguments.frames, arguments.reference_frames)
        )
    show(report)
    if arguments.json:
        write_json(arguments.json, report)
    return 0


def _measured(arguments: argparse.Namespace, bundle: Bundle, plan: Plan) -> dict[str, Any]:
    device = arguments.device
    if device == "auto":  # decided once, for the model and the original
        device = "cuda:0" if cuda_problem() is None else "cpu"
    threads = list(dict.fromkeys(cores() if count == "all" else count for count in arguments.threads))
    sink, where = open_output(arguments.output)
    try:
        with tqdm(total=plan.frames * len(threads), desc="frames", disable=None) as bar:
            settings = measure(bundle, device, threads, plan, sink, bar.update)
        return make_report(bundle, device, plan, settings, where)
    finally:
        sink.close()


def open_output(kind: str) -> tuple[Sink, str]:
    """Open the output; return it and its name, for people."""
    if kind != "none":
        try:
            sink = open_sink("virtual-camera" if kind == "auto" else kind, "", CALL_SIZE, 30)
            return sink, sink.name
        except OutputError as problem:
            if kind != "auto":
                raise
            return open_sink("none", "", CALL_SIZE, 30), f"none: {problem.message}"
    return open_sink("none", "", CALL_SIZE, 30), "none"


def show(report: dict[str, Any]) -> None:
    """Print a table with a column for each number of threads."""
    hardware, runs = report["hardware"], report["runs"]
    say(f"{report['engine']}; {report['model']['size']} pixels, {report['frames']} frames")
    say(", ".join(filter(None, [hardware["cpu"], f"{hardware['cores']} cores", hardware["card"]])))
    say(f"camera {report['camera']}, output {report['output']['size']} to {report['output']['sink']}\n")
    say(" " * 14 + "".join(f"{_plural(run['threads']):>14} p50      p95" for run in runs))
    for stage in runs[0]["stages_ms"]:
        _row(stage, [run["stages_ms"][stage] for run in runs])
    _row("whole chain", [run["chain"] for run in runs])
    _row("animation", [run["animation"] for run in runs])
    _row("engine alone", [run["step"] for run in runs])
    if "reference" in runs[0]:
        _row("original", [run["reference"] for run in runs])
    say()
    for run in runs:
        say(
            f"{_plural(run['threads'])}: {run['chain']['fps']:.1f} frames a second one after the other; "
            f"the animation alone, as in a call, {run['animation']['fps']:.1f}; engine "
            f"{run['floor']['times']:.1f} x the hardware's floor"
        )
        if "speedup" in run:
            faster = run["speedup"]
            say(
                f"  the original takes {faster['step']:.1f} times as long as the engine, "
                f"{faster['animation']:.1f} times the animation"
            )


def _row(name: str, times: list[dict[str, float]]) -> None:
    say(name.ljust(14) + "".join(f"{one['p50']:18.2f} {one['p95']:8.2f}" for one in times) + " ms")


def _plural(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def _threads(text: str) -> list[int | str]:
    try:
        return [part if part == "all" else whole_number(1, MOST_THREADS)(part) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no list of whole numbers from 1 to {MOST_THREADS}, such as 1,2,all"
        ) from None

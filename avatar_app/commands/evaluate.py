"""``evaluate``: measure how well a model reconstructs unseen clips.

Each clip is rebuilt from one frame. A piecewise warp of that frame and the frame itself are measured beside
it. As in the paper (section 4, self-reenactment): a clip's first usable frame is the photo, the key points of
every later frame are the pose, and that frame is the truth. ``avatar-app evaluate MODEL --data DIR --json
FILE``; needs PyTorch for reading the data set.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from avatar_app.bundles.bundle import open_bundle
from avatar_app.commands.numbers import MOST_THREADS, whole_number
from avatar_app.commands.printer import say
from avatar_app.engines.open import open_engine
from avatar_app.errors import ConfigError
from avatar_app.evaluation.expression import EXPRESSION
from avatar_app.evaluation.following import FOLLOWING
from avatar_app.evaluation.outside_judge import OutsideJudge
from avatar_app.evaluation.reconstruction import (
    FIGURES,
    WAYS,
    Embedding,
    Evaluator,
    means,
    read_pairs,
)
from avatar_app.faces.detector import FaceDetector
from avatar_app.files import require_apart, require_folder, require_writable, write_json
from avatar_app.text import Text
from avatar_app.training.data import list_clips

JUDGES = {"own": "our own network, 88 landmarks", "face-alignment": "face-alignment, 68 landmarks"}
"""Landmark networks for akd and mkr, and their names in the report."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="BUNDLE", help="a name that `models list` shows, or a folder")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a data set as for training")
    parser.add_argument("--split", default="val", help="its split (default: val)")
    parser.add_argument(
        "--limit",
        type=whole_number(2),
        metavar="N",
        help="use N evenly spaced frames of each clip (default: all)",
    )
    what = (
        "also animate the pairs in this table with the columns source and driving (names of clips of the "
        "split)"
    )
    parser.add_argument("--pairs", type=Path, metavar="CSV", help=what)
    parser.add_argument(
        "--embedding",
        type=Path,
        metavar="ONNX",
        help="network that maps an upright RGB face to a vector, for identity (AED)",
    )
    what = "landmarks for akd and mkr: own, or face-alignment, the paper's, which is slow (default: own)"
    parser.add_argument("--judge", choices=list(JUDGES), default="own", help=what)
    parser.add_argument(
        "--fetch-judge",
        action="store_true",
        help="download the judge's weights if they are missing",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or webgpu (default: auto)")
    parser.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        metavar="N",
        help="CPU threads (default: one for each core)",
    )
    parser.add_argument(
        "--json", type=Path, required=True, metavar="FILE", help="write the measurements to this file"
    )


def run(arguments: argparse.Namespace) -> int:
    require_writable(arguments.json)
    require_apart([arguments.json], [arguments.pairs, arguments.embedding, arguments.data / "manifest.csv"])
    require_folder(arguments.data, "data set", ConfigError)
    entries = [e for e in list_clips(arguments.data, arguments.split) if not e.still]  # clips
    pairs = read_pairs(arguments.pairs, entries) if arguments.pairs else []
    embedding = Embedding(arguments.embedding) if arguments.embedding else None
    engine = open_engine(open_bundle(arguments.model), arguments.device, arguments.threads)
    try:
        judge = _outside_judge(arguments.device, arguments.fetch_judge) if arguments.judge != "own" else None
        evaluator = Evaluator(engine, FaceDetector.open(), embedding, arguments.limit, judge)
        clips = [
            evaluator.reconstruct(entry) for entry in tqdm(entries, desc="clips", unit="clip", disable=None)
        ]
        animated = [
            evaluator.animate(*pair) for pair in tqdm(pairs, desc="pairs", unit="pair", disable=None) if pairs
        ]
    finally:
        engine.close()
    report = {
        "model": str(arguments.model),
        "engine": engine.name,
        "data": str(arguments.data),
        "split": arguments.split,
        "limit": arguments.limit,
        "size": evaluator.size,
        "judge": JUDGES[arguments.judge],
        "units": FIGURES | EXPRESSION | (FOLLOWING if pairs else {}),
        "frames": sum(clip["frames"] for clip in clips),
        "mean": means(clips),
        "clips": clips,
    }
    if pairs:
        report |= {"pairs_mean": means(animated), "pairs": animated}
    if not report["frames"]:
        raise ConfigError(
            Text("No clip of {} could be rebuilt: no two frames with a face.", arguments.data),
            Text("Give clips of faces, or another model."),
        )
    show(report)
    write_json(arguments.json, report)
    return 0


def _outside_judge(device: str, fetch: bool) -> OutsideJudge:
    """Open the judge: on the graphics card if the model was sent there by name.

    Else on the processor.
    """
    return OutsideJudge(device if device.startswith("cuda") else "cpu", fetch)


def show(report: dict[str, Any]) -> None:
    """Print one line a clip, each figure for each of ``WAYS``."""
    rows = [*report["clips"], {"clip": "mean", "figures": report["mean"]}]
    names = [name for name in FIGURES if report["mean"][name]["model"] is not None]
    say(
        f"{report['engine']}: {report['frames']} frames of {len(report['clips'])} clips; each figure: model "
        f"/ warp / still"
    )
    say(f"akd and mkr by {report['judge']}")
    say("clip".ljust(28) + "".join(name.rjust(26) for name in names))
    for row in rows:
        cells = [" / ".join(_number(row["figures"][name][way]) for way in WAYS) for name in names]
        say(
            row["clip"][:27].ljust(28)
            + (
                "".join(cell.rjust(26) for cell in cells)
                if "note" not in row
                else f"  left out: {row['note']}"
            )
        )
    say("mean".ljust(28) + "  " + "  ".join(f"{n} {_number(report['mean'][n])}" for n in EXPRESSION))
    for row in [
        *report.get("pairs", []),
        *([{"clip": "mean", "figures": report["pairs_mean"]}] if "pairs" in report else []),
    ]:
        cells = [f"{name} {_number(value)}" for name, value in row["figures"].items()]
        say(row["clip"].ljust(28) + "  " + "  ".join(cells))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"

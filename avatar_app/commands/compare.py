"""``compare``: train and judge X2Face, Monkey-Net, FOMM and our model alike.

    python run.py compare --data DIR --minutes 45

Each method is trained for N minutes on the training split. All are evaluated on the held-out split. The
result is a page with tables and a contact sheet. A method that was trained on the same terms before is not
trained again: start the command again after an interruption.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar_app.commands.evaluate import JUDGES
from avatar_app.commands.numbers import whole_number
from avatar_app.commands.printer import say
from avatar_app.errors import ConfigError
from avatar_app.evaluation.comparison.recipes import METHODS, SIZES, Terms
from avatar_app.files import require_folder
from avatar_app.text import Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a data set as for training")
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=45.0,
        metavar="N",
        help="minutes of training per method (default: 45)",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=list(METHODS),
        default=list(METHODS),
        help="methods to train (default: all)",
    )
    parser.add_argument(
        "--size", type=int, choices=SIZES, default=128, help="side of the pictures, pixels (default: 128)"
    )
    what = (
        "factor on the channels of the published methods (default: 0.25 on processors, 1 on graphics cards)"
    )
    parser.add_argument("--width", type=_width, metavar="FACTOR", help=what)
    parser.add_argument(
        "--batch", type=whole_number(2), default=8, metavar="N", help="pairs per step (default: 8)"
    )
    parser.add_argument(
        "--stride", type=whole_number(1), default=3, metavar="N", help="use every N-th frame (default: 3)"
    )
    what = "feature network of the perceptual losses (default: the one in DIR/perceptual)"
    parser.add_argument("--features", type=Path, metavar="FILE", help=what)
    parser.add_argument("--split", default="val", help="the held-out split (default: val)")
    parser.add_argument(
        "--limit", type=whole_number(2), metavar="N", help="evaluate N frames of each clip (default: all)"
    )
    parser.add_argument(
        "--judge",
        choices=list(JUDGES),
        default="own",
        help="landmark network for AKD and MKR (default: own)",
    )
    parser.add_argument(
        "--fetch-judge",
        action="store_true",
        help="download the judge's weights if they are missing",
    )
    parser.add_argument(
        "--embedding", type=Path, metavar="ONNX", help="network that maps a face to a vector, for AED"
    )
    what = "the contact sheet shows clips of the data set, or photos and clip of the app (default: data)"
    parser.add_argument("--sheet", choices=["data", "app"], default="data", help=what)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("runs/compare"),
        metavar="DIR",
        help="checkpoints and models (default: runs/compare)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("docs/benchmarks"),
        metavar="DIR",
        help="page, figures and contact sheet (default: docs/benchmarks)",
    )


def run(arguments: argparse.Namespace) -> int:
    require_folder(arguments.data, "data set", ConfigError)
    require_folder(arguments.output, "output", ConfigError)
    from avatar_app.evaluation.comparison.whole import Comparison, Judging

    device = _device(arguments.device)
    width = arguments.width or (1.0 if device.startswith("cuda") else 0.25)
    terms = Terms(arguments.size, width, arguments.batch, arguments.minutes, arguments.stride)
    wanted = (arguments.split, arguments.limit, arguments.judge, arguments.embedding, arguments.sheet)
    judging = Judging(*wanted, fetch_judge=arguments.fetch_judge)
    comparison = Comparison(arguments.data, terms, judging, device, arguments.features, arguments.work)
    page = comparison.run(arguments.methods, arguments.output, _command(arguments))
    say(f"{page}: the tables; beside it comparison.jpg and comparison.json")
    return 0


def _device(wanted: str) -> str:
    from avatar_app.engines.open import cuda_problem

    if wanted == "auto":
        return "cuda" if cuda_problem() is None else "cpu"
    problem = cuda_problem() if wanted.startswith("cuda") else None
    if problem is not None or not wanted.startswith(("cpu", "cuda")):
        message = (
            Text("The device {} cannot be used: {}.", repr(wanted), problem)
            if problem
            else Text("The device {} cannot be used.", repr(wanted))
        )
        raise ConfigError(message, Text("Give auto, cpu, cuda or cuda:N."))
    return wanted


def _command(arguments: argparse.Namespace) -> str:
    """Return the command as given, without paths of this computer."""
    words = [
        "python run.py compare --data DIR",
        f"--minutes {arguments.minutes:g} --size {arguments.size} --batch {arguments.batch}",
    ]
    words += [f"--stride {arguments.stride} --judge {arguments.judge} --sheet {arguments.sheet}"]
    words += [
        f"--{name} {getattr(arguments, name)}" for name in ("width", "limit") if getattr(arguments, name)
    ]
    return " ".join(words)


def _minutes(text: str) -> float:
    return _number(text, 0.01, 10_000, "minutes")


def _width(text: str) -> float:
    return _number(text, 0.05, 1, "a number from 0.05 to 1")


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {what}") from None
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {what}")
    return number

"""``models``: list, check, import, fetch and compare models."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from avatar_app.bundles.bundle import (
    Bundle,
    bundle_folders,
    list_bundles,
    open_bundle,
    read_bundle,
)
from avatar_app.bundles.fetch import KNOWN, fetch
from avatar_app.commands.printer import say
from avatar_app.errors import BundleError
from avatar_app.evaluation.parity import compare
from avatar_app.extras import require
from avatar_app.paths import PACKAGE, user_models
from avatar_app.text import Text

CONFIG = "the configuration it was trained with (X2Face has none)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(title="tasks", metavar="TASK", required=True)
    listing = tasks.add_parser("list", help="show all models")
    listing.set_defaults(task=_list)

    verify = tasks.add_parser("verify", help="check a model's files against their hashes")
    verify.add_argument("name", metavar="NAME", help="a name that `models list` shows, or a folder")
    verify.set_defaults(task=_verify)

    importing = tasks.add_parser(
        "import",
        help="create a model from a checkpoint of the First Order Motion Model, Monkey-Net or X2Face",
    )
    importing.add_argument("checkpoint", type=Path, metavar="CKPT", help="the .pth.tar or .pth file")
    importing.add_argument("--config", type=Path, metavar="YAML", help=CONFIG)
    importing.add_argument("--name", required=True, help="name of the new model")
    importing.add_argument("--licence", default="unknown", help="licence of the weights, kept with the model")
    _add_align_corners(
        importing,
        "default: what the configuration states, else true, as the published checkpoints were trained",
    )
    importing.set_defaults(task=_import)

    fetching = tasks.add_parser("fetch", help="download a published model and import it")
    fetching.add_argument(
        "name", choices=sorted(KNOWN), metavar="NAME", help=f"one of: {', '.join(sorted(KNOWN))}"
    )
    fetching.set_defaults(task=_fetch)

    parity = tasks.add_parser(
        "parity", help="compare a checkpoint's outputs with recorded ones; exit code 1 if they differ"
    )
    parity.add_argument("checkpoint", type=Path, metavar="CKPT", help="the .pth.tar or .pth file")
    parity.add_argument("--config", type=Path, metavar="YAML", help=CONFIG)
    parity.add_argument(
        "--arrays", type=Path, required=True, metavar="NPZ", help="recorded pictures, key points and outputs"
    )
    _add_align_corners(parity, "default: what the arrays state, else whichever is nearer to them")
    parity.set_defaults(task=_parity)


def _add_align_corners(parser: argparse.ArgumentParser, default: str) -> None:
    text = f"whether warps read positions as pixel centres ({default})"
    parser.add_argument("--align-corners", type=_truth, metavar="true|false", help=text)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def run(arguments: argparse.Namespace) -> int:
    code: int = arguments.task(arguments)
    return code


def _list(arguments: argparse.Namespace) -> int:
    bundles = list_bundles()
    rows = [("name", "kind", "size", "MB", "licence", "folder"), *(_row(bundle) for bundle in bundles)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        say("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))
    readable = {bundle.folder for bundle in bundles}
    for folder in bundle_folders():
        if folder not in readable and folder.name not in {bundle.name for bundle in bundles}:
            try:
                read_bundle(folder)
            except BundleError as error:
                say(f"note: {error.message}", error=True)
    for name in sorted(KNOWN.keys() - {bundle.name for bundle in bundles}):
        say(f"{name} can be had with: models fetch {name}")
    return 0


def _row(bundle: Bundle) -> tuple[str, ...]:
    used = sum(path.stat().st_size for path in bundle.folder.iterdir() if path.is_file())
    return bundle.name, bundle.kind, str(bundle.size), f"{used / 1e6:.1f}", bundle.licence, str(bundle.folder)


def _verify(arguments: argparse.Namespace) -> int:
    bundle = open_bundle(arguments.name)
    say(f"{bundle.name}: {len(bundle.hashes)} files, each as it was written")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    require("train", Text("Importing a checkpoint"))
    from avatar_app.onnx_export.import_checkpoint import import_checkpoint

    bundle = import_checkpoint(
        arguments.checkpoint,
        arguments.config,
        arguments.name,
        licence=arguments.licence,
        align_corners=arguments.align_corners,
    )
    say(f"{bundle.name} is in {bundle.folder}; use it with: --model {bundle.name}")
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    if any(bundle.name == name for bundle in list_bundles()):
        say(f"{name} is there already, in {open_bundle(name).folder}")
        return 0
    require("train", Text("Importing a checkpoint"))
    download = KNOWN[name]
    target = user_models().parent / "downloads" / download.file_name
    with tqdm(desc=target.name, unit="B", unit_scale=True, disable=None, dynamic_ncols=True) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        fetch(download, target, show, lambda sentence: say(f"note: {sentence}", error=True))
    from avatar_app.onnx_export.import_checkpoint import import_checkpoint

    bundle = import_checkpoint(
        target, PACKAGE / "training" / "configs" / download.configuration, name, licence=download.licence
    )
    say(f"{name} is in {bundle.folder}; use it with: --model {name}")
    return 0


def _parity(arguments: argparse.Namespace) -> int:
    require("train", Text("Computing with a checkpoint"))
    comparison = compare(arguments.checkpoint, arguments.config, arguments.arrays, arguments.align_corners)
    width = max(len(name) for name in comparison.differences)
    for name, difference in comparison.differences.items():
        say(
            f"{name.ljust(width)}  "
            f"{difference:.2e}{'' if difference <= comparison.limit(name) else '  differs'}"
        )
    worst = max(comparison.differences.values())
    limits = " or ".join(
        f"{limit:.0e}" for limit in sorted({comparison.limit(name) for name in comparison.differences})
    )
    say(
        f"largest difference {worst:.2e}, limit {limits}, align_corners "
        f"{str(comparison.align_corners).lower()}"
    )
    return 0 if comparison.agrees else 1

"""``cuda``: fetch PyTorch for an NVIDIA card, or remove it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from avatar_app.commands.printer import say
from avatar_app.cuda.fetch import Progress, fetch, find_uv
from avatar_app.cuda.folder import bytes_in, look, partial, remove
from avatar_app.doctor.nvidia import backend, find_card
from avatar_app.errors import EngineError
from avatar_app.paths import user_pytorch
from avatar_app.text import Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(title="tasks", metavar="TASK", required=True)

    def add(name: str, task: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        added = tasks.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        added.set_defaults(task=task)
        return added

    about = "download the PyTorch build for your card from pytorch.org (some gigabytes) and test it"
    add("install", _install, about).add_argument(
        "--wheels",
        type=Path,
        metavar="FOLDER",
        help="use packages from this folder, on a computer without a network",
    )
    add("remove", _remove, "delete the downloaded PyTorch")
    add("status", _status, "show what is downloaded and whether a card is present")


def run(arguments: argparse.Namespace) -> int:
    task: int = arguments.task(arguments)
    return task


def _install(arguments: argparse.Namespace) -> int:
    wheels: Path | None = arguments.wheels
    if wheels is not None and not wheels.is_dir():
        raise EngineError(
            Text("There is no folder {}.", wheels), Text("Name the folder that holds the packages.")
        )
    find_uv()  # report a missing one before the card is queried
    with tqdm(desc="PyTorch", unit="B", unit_scale=True, unit_divisor=1024, disable=None) as bar:

        def show(progress: Progress) -> None:
            bar.total = sum(progress.sizes.values()) or None
            bar.set_postfix_str("trying the card" if progress.trying else "", refresh=False)
            bar.update(progress.share * (bar.total or 0) - bar.n)

        version = fetch(backend(find_card()), wheels, show)
    say(f"PyTorch {version} computes on your card. Start the app again, if it runs.")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    there = user_pytorch().exists() or partial().exists()
    if not remove():
        raise EngineError(
            Text("Some files in {} are in use.", user_pytorch()),
            Text("Close the app, then run `cuda remove` again."),
        )
    say(f"{user_pytorch()} is removed." if there else "There is nothing to remove.")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    card, (state, version) = find_card(), look()
    say(f"card: {card or 'no NVIDIA card with a driver was found'}")
    if state == "absent":
        say("fetched: nothing")
    else:
        fits = "" if state == "ready" else ", for another version of Python or the app: run `cuda install`"
        say(f"fetched: PyTorch {version}{fits}")
        say(f"folder: {user_pytorch()}, {bytes_in(user_pytorch()) / 1e9:.1f} GB")
    if partial().exists():
        say(f"not complete: {partial()}, {bytes_in(partial()) / 1e9:.1f} GB; `cuda install` goes on with it")
    return 0 if state == "ready" else 1

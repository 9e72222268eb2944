"""``window``: the window, which also opens without a command."""

from __future__ import annotations

import argparse

from avatar_app.session.controls import OUTPUTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        metavar="CAMERA",
        help="a camera's name or number, a video, a folder or a URL (default: as last time)",
    )
    parser.add_argument(
        "--avatar", metavar="PHOTO", help="a photo, or the name of one in the gallery (default: as last time)"
    )
    parser.add_argument(
        "--model", metavar="NAME", help="a name that `models list` shows (default: as last time)"
    )
    parser.add_argument(
        "--device",
        help="auto, cpu, cuda, cuda:N, or the pairing line of another computer (default: as last time)",
    )
    parser.add_argument("--output", choices=OUTPUTS, help="where the picture goes (default: as last time)")


def run(arguments: argparse.Namespace) -> int:
    from avatar_app.gui.app import run_window

    return run_window(arguments)

"""``demo``: animate the app's own photo with its own clip."""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar_app.commands import animate
from avatar_app.commands.options import add_model_arguments
from avatar_app.errors import AvatarError
from avatar_app.paths import assets_folder
from avatar_app.text import Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("demo.mp4"),
        metavar="VIDEO",
        help="the result (default: demo.mp4)",
    )
    add_model_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    photo, clip = demo_files(assets_folder())
    parser = argparse.ArgumentParser()
    animate.add_arguments(parser)
    files = [
        "--avatar",
        str(photo),
        "--driving",
        str(clip),
        "--output",
        str(arguments.output),
        "--side-by-side",
    ]
    return animate.run(parser.parse_args(files, arguments))


def demo_files(assets: Path) -> tuple[Path, Path]:
    """Return the first avatar and the driving clip.

    Raises AvatarError if the app came without them.
    """
    photos = sorted(
        path for path in (assets / "avatars").glob("*") if path.suffix in {".jpg", ".png", ".webp"}
    )
    clip = assets / "driving.mp4"
    if not photos or not clip.is_file():
        missing = clip if photos else assets / "avatars"
        raise AvatarError(
            Text("The demo's files are missing: there is no {}.", missing),
            Text("Install the app again, or use `animate` with your own."),
        )
    return photos[0], clip

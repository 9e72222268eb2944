"""Train the face networks.

python -m avatar_app.training.faces avatar_app/training/configs/faces.yaml --data DIR --output DIR [--minutes
N] [--resume]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import cv2

from avatar_app.errors import AvatarError
from avatar_app.training.faces.config import read_config
from avatar_app.training.faces.data import open_faces
from avatar_app.training.faces.loop import Others, train_part
from avatar_app.training.faces.samples import read_backgrounds


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.faces", description="Train the face networks."
    )
    parser.add_argument("config", type=Path, help="YAML file, see avatar_app/training/configs/faces.yaml")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with manifest.csv, video, stills and labels"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for the checkpoints")
    parser.add_argument(
        "--cache", type=Path, help="folder for the decoded frames (some gigabytes; default: OUTPUT/cache)"
    )
    parser.add_argument(
        "--backgrounds", type=Path, help="folder of pictures without faces, instead of the configuration's"
    )
    parser.add_argument(
        "--mistakes",
        type=Path,
        help="folder of earlier false detections, see avatar_app.training.faces.mine",
    )
    parser.add_argument("--only", choices=["landmarks", "finder"], help="train only this network")
    parser.add_argument(
        "--minutes", type=float, help="wall time for each network, instead of the configuration's"
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="number of processes that generate samples, instead of the configuration's",
    )
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoints in OUTPUT")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    arguments = _arguments(words)
    cv2.setNumThreads(1)
    try:
        config = read_config(arguments.config)
        if arguments.workers is not None:
            config = replace(config, workers=arguments.workers)
        folder = arguments.backgrounds or (
            arguments.config.parent / config.backgrounds if config.backgrounds else None
        )
        cache = arguments.cache or arguments.output / "cache"
        faces = open_faces(arguments.data, cache, "train", config.stride, config.skip_licences)
        others = Others(read_backgrounds(folder), read_backgrounds(arguments.mistakes))
        for part in ("landmarks", "finder"):
            if arguments.only in (None, part):
                train_part(
                    part,
                    config,
                    faces,
                    others,
                    arguments.output,
                    arguments.minutes,
                    arguments.resume,
                    report=lambda line: print(line, flush=True),
                )
    except AvatarError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

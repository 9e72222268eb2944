r"""Make labels for `avatar_app.training.matte.loop` with MediaPipe.

Selfie Segmentation (Apache-2.0) was trained on many people.

    python3 -m venv teacher && teacher/bin/pip install mediapipe==0.10.14
    teacher/bin/python avatar_app/training/matte/teacher.py --data DATA --output masks

It needs an older NumPy than the app, so it runs in its own environment and imports nothing of the app. For
every still and some frames of every clip it writes the person's alpha, as bytes: ``masks/<name>.npz`` with
``frames`` (T,), their numbers, and ``masks`` (T, 256, 256).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

FRAMES = 6
"""Frames of each clip."""

SIDE = 256
"""Side of the network's picture."""


def frames_of(path: Path, count: int) -> Iterator[tuple[int, Any]]:
    """Yield number and RGB picture of some of a clip's ``count`` frames, or a still."""
    reader, step = cv2.VideoCapture(str(path)), max(1, count // FRAMES)
    for number in range(count):
        found, picture = reader.read()
        if not found:
            return
        if number % step == 0:
            yield number, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with manifest.csv, video/ and stills/"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for the masks")
    options = parser.parse_args(arguments)
    try:
        write_masks(options.data, options.output)
    except ImportError as problem:
        print(
            f"The teacher cannot be loaded: {problem}. Install mediapipe==0.10.14 in an environment of its "
            f"own.",
            file=sys.stderr,
        )
    except KeyError as problem:
        print(
            f"The table of {options.data} has no column {problem}. Give a data set as for training.",
            file=sys.stderr,
        )
    except (OSError, ValueError) as problem:
        print(
            f"The masks cannot be made: {problem}. Give a data set as for training, and a folder for the "
            f"masks.",
            file=sys.stderr,
        )
    else:
        return 0
    return 2


def write_masks(data: Path, output: Path) -> None:
    """Write the masks of a data set to ``output``.

    Raises OSError, KeyError or ValueError for what is not a data set, ImportError without the teacher.
    """
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation  # type: ignore[import-not-found,unused-ignore]

    output.mkdir(parents=True, exist_ok=True)
    with SelfieSegmentation(model_selection=0) as teacher:
        for row in rows:
            path = data / (
                f"video/{row['stem']}.mp4" if row["type"] == "video" else f"stills/{row['stem']}.jpg"
            )
            numbers, masks = [], []
            for number, picture in frames_of(path, int(row["frames"])):
                alpha = cv2.resize(
                    teacher.process(picture).segmentation_mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA
                )
                numbers.append(number)
                masks.append((alpha * 255).round().clip(0, 255).astype(np.uint8))
            if not masks:
                raise OSError(f"no frame can be read from {path}")
            np.savez_compressed(
                output / f"{row['stem']}.npz", frames=np.array(numbers), masks=np.array(masks)
            )


if __name__ == "__main__":
    sys.exit(main())

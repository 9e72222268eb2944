"""Play a clip as a webcam on the network, for measurements and manual tests.

python -m tests.support.webcam CLIP [--fps N] [--width PIXELS]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from avatar_app.types import Image
from tests.support.mjpeg import MjpegCamera


def read_clip(path: Path, width: int = 0) -> list[Image]:
    """All frames, RGB; forwards and backwards for a loop without a jump."""
    capture = cv2.VideoCapture(str(path))
    frames: list[Image] = []
    while True:
        done, frame = capture.read()
        if not done:
            return frames + frames[-2:0:-1]
        if width:
            frame = cv2.resize(
                frame, (width, round(frame.shape[0] * width / frame.shape[1])), interpolation=cv2.INTER_AREA
            )
        frames.append(np.ascontiguousarray(frame[..., ::-1], np.uint8))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--width", type=int, default=0, help="reduce the clip to it; 0: as it is")
    parser.add_argument("--seconds", type=float, default=3600)
    options = parser.parse_args()
    frames = read_clip(options.clip, options.width)
    with MjpegCamera(lambda number: frames[number % len(frames)], options.fps) as camera:
        sys.stdout.write(camera.url + "\n")
        sys.stdout.flush()
        time.sleep(options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

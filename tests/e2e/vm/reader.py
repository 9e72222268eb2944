"""A call that reads a camera: python -m tests.e2e.vm.reader DEVICE FOLDER.

For each picture it records its content.

``FOLDER/arrivals``: a line "width height number red green blue": the number as ``mjpeg.read_mark`` finds it
in the square in the middle (-1: none), and the colour of the middle. ``FOLDER/pictures``: the pictures
themselves, 160 x 90 RGB.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from tests.support.mjpeg import read_mark

SMALL = (160, 90)


def main(device: str, folder: Path) -> None:
    camera = cv2.VideoCapture()
    with (
        (folder / "arrivals").open("a", buffering=1) as arrivals,
        (folder / "pictures").open("ab", buffering=0) as pictures,
    ):
        while True:
            done, frame = camera.read() if camera.isOpened() else (False, None)
            if not done or frame is None:
                time.sleep(0.05)
                camera.open(device, cv2.CAP_V4L2)
                continue
            image = np.ascontiguousarray(frame[..., ::-1], np.uint8)
            height, width = image.shape[:2]
            number = read_mark(image[:, (width - height) // 2 : (width + height) // 2])
            middle = image[height // 2 - 8 : height // 2 + 8, width // 2 - 8 : width // 2 + 8].mean((0, 1))
            pictures.write(cv2.resize(image, SMALL, interpolation=cv2.INTER_AREA).tobytes())
            arrivals.write(
                " ".join(
                    map(str, (width, height, -1 if number is None else number, *middle.round().astype(int)))
                )
                + "\n"
            )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

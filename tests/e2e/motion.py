"""A driver with known motion, and the analysis of its echo in received pictures.

It measures their latency and order. The head's tilt serves as a clock. The driver tilts it to and fro all
the time, at a pace that never repeats; in each received picture the avatar's tilt is measured. The delay
at which both agree best is the pictures' latency, including the smoothing of the motion.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.faces.detector import FaceDetector
from avatar_app.types import Image
from tests.session.live import PATTERN

Series = npt.NDArray[np.float64]

FRAME = (640, 480)
"""Width and height of the webcam's frames."""

TILT = 14.0
"""Degrees to each side."""

NEW = 1.5
"""Mean difference (0..255) above which a picture is new, not a repeat that was compressed again."""

SHORTEST, LONGEST = 20, 45
"""Frames of the camera, 30 a second, between two turns of the head. The numbers differ much, otherwise
several delays would fit."""

SOON = 0.3
"""Seconds, much shorter than between two turns, within which the order of four pictures can be determined."""

CLEAR = 0.5
"""Degrees: less than the head tilts between two frames of the camera, more than the measurement error."""

ACROSS = (
    (17, 26),
    (19, 24),
    (21, 22),
    (36, 45),
    (37, 44),
    (38, 43),
    (39, 42),
    (40, 47),
    (41, 46),
    (31, 35),
    (48, 54),
    (49, 53),
    (59, 55),
)
"""Landmarks on opposite sides: the eyes alone, forty pixels apart, would give too large an error."""

OLDEST = 1.3
"""Seconds; longer delays are not considered, because the app sends nothing older than one second."""


WAITING = 12
"""Frames that alternate before the driver moves."""


class Driver:
    """Shows a clip to a webcam.

    Until ``move``, the head is held upright while the first frames alternate: a face that does not move at
    all would count as a picture. Then it tilts while the clip plays.

    Args:
        clip: forwards and backwards, a loop.

    Attributes:
        times: of showing each frame, the system's monotonic clock in seconds; tilts: of the head then,
            degrees.
    """

    def __init__(self, clip: list[Image]) -> None:
        self.times: list[float] = []
        self.tilts: list[float] = []
        self._clip = clip
        detector = FaceDetector.open()
        each = {id(frame): frame for frame in clip}  # backwards uses the same frames
        own = {key: measure_tilt(detector, frame) for key, frame in each.items()}
        self._own = [own[id(frame)] for frame in clip]
        self._sweeps = sweeps(10_000)
        self._began: int | None = None
        self._asked = False

    def move(self) -> None:
        self._asked = True

    def frame(self, number: int) -> Image:
        """The frame that a webcam shows now."""
        if self._asked and self._began is None:
            self._began = number
        moves = self._began is not None
        step = number - (self._began or 0) if moves else abs(number % (2 * WAITING) - WAITING)
        sweep = self._sweeps[step % len(self._sweeps) if moves else 0]
        frame = turn(self._clip[step % len(self._clip)], sweep - self._own[step % len(self._clip)])
        if self._began is not None:
            self.times.append(time.monotonic())
            self.tilts.append(float(sweep))
        return frame


def sweeps(count: int) -> Series:
    """The head's tilt in degrees, instead of the clip's own, for so many frames; 0 at first."""
    turns = np.cumsum(np.random.default_rng(5).integers(SHORTEST, LONGEST, count // SHORTEST + 1))
    return np.asarray(
        np.interp(np.arange(count), [0, *turns], [0.0, *(TILT * (-1.0) ** np.arange(len(turns)))])
    )


def turn(frame: Image, degrees: float) -> Image:
    """The frame, rotated clockwise as seen, in ``FRAME`` with only ``PATTERN`` around the head.

    Marks in the corners would be cut off when a canvas of another shape is filled, and when the face is
    cropped.
    """
    width, height = FRAME
    matrix = cv2.getRotationMatrix2D(
        (frame.shape[1] / 2, frame.shape[0] / 2), -degrees, height / frame.shape[0]
    )
    matrix[:, 2] += (width - frame.shape[1]) / 2, (height - frame.shape[0]) / 2
    turned = np.asarray(cv2.warpAffine(frame, matrix, FRAME, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    head = np.zeros((height, width), np.uint8)
    cv2.ellipse(
        head,
        (width // 2, round(height * 0.48)),
        (round(height * 0.29), round(height * 0.44)),
        0,
        0,
        360,
        1,
        cv2.FILLED,
    )
    turned[head == 0] = PATTERN
    return turned


def measure_tilt(detector: FaceDetector, picture: Image) -> float:
    """Degrees clockwise as seen, from the face's right to its left.

    NaN where no face is found.
    """
    faces = detector.find(picture, levels=1)
    if not faces:
        return float("nan")
    right, left = np.array(ACROSS).T
    across = (faces[0].points[left, :2] - faces[0].points[right, :2]).sum(0)
    return float(np.degrees(np.arctan2(across[1], across[0])))


def new_pictures(pictures: npt.NDArray[np.uint8]) -> list[int]:
    """Which of the pictures (N, H, W, 3) differ from the previous new one.

    The first does.
    """
    found = [0]
    for index in range(1, len(pictures)):
        if np.abs(pictures[index].astype(np.int16) - pictures[found[-1]]).mean() > NEW:
            found.append(index)
    return found


@dataclass(frozen=True, slots=True)
class Echo:
    """How the received motion follows the driver's.

    Attributes:
        delay: seconds; the best fit over all pictures.
        correlation: at that delay, -1..1.
        gain: degrees of the avatar per degree of the driver.
        judged: how many times four pictures in a row came fast enough to determine their order.
        zigzags: in how many of these the head went back and forth, as no driver's did, so that one picture
            was older than its predecessor.
    """

    delay: float
    correlation: float
    gain: float
    judged: int
    zigzags: int


def compare(shown_at: Series, shown: Series, arrived_at: Series, arrived: Series) -> Echo:
    """Find the echo of the driver's tilts (degrees, at times in seconds) in those of pictures, in order of
    arrival.
    """

    def driver(delay: float) -> Series:
        return np.asarray(np.interp(arrived_at - delay, shown_at, shown))

    delays = np.arange(0, OLDEST, 0.005)
    correlations = [np.corrcoef(driver(delay), arrived)[0, 1] for delay in delays]
    delay = float(delays[int(np.argmax(correlations))])
    gain = float(np.polyfit(driver(delay), arrived, 1)[0])
    return Echo(delay, float(max(correlations)), gain, *_judge_order(arrived_at, arrived))


def _judge_order(arrived_at: Series, arrived: Series) -> tuple[int, int]:
    """The delay may change here.

    Between two turns of the driver's head the tilt changes in one direction only.
    """
    steps = np.diff(arrived)
    middle, around = steps[1:-1], (steps[:-2], steps[2:])
    judged = arrived_at[3:] - arrived_at[:-3] < SOON
    zigzags = judged & (np.abs(middle) > CLEAR)
    for step in around:
        zigzags &= (np.abs(step) > CLEAR) & (np.sign(step) == -np.sign(middle))
    return int(judged.sum()), int(zigzags.sum())

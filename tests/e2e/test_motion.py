"""The call test's conclusions from tilts and pictures, checked on synthetic ones."""

from __future__ import annotations

import numpy as np

from avatar_app.faces.detector import FaceDetector, crop_picture, square_box
from avatar_app.outputs.canvas import Canvas
from avatar_app.paths import assets_folder
from avatar_app.session.controls import SIZES
from avatar_app.types import Frame
from tests.e2e.motion import Driver, Echo, Series, compare, measure_tilt, new_pictures, sweeps
from tests.session.live import has_pattern
from tests.support.webcam import read_clip

DELAY, FPS, NOISE = 0.31, 24.0, 0.15


def echo_of(order: Series) -> Echo:
    """The echo if the pictures of the driver arrive in another order."""
    times, tilts = np.arange(300) / 30, sweeps(300)
    arrived_at = np.arange(len(order)) / FPS + 0.5
    noise = np.random.default_rng(1).normal(0, NOISE, len(order))
    arrived = 0.9 * np.interp(arrived_at[order.astype(int)] - DELAY, times, tilts) + noise
    return compare(times, tilts, arrived_at, arrived)


def test_pictures_in_order() -> None:
    echo = echo_of(np.arange(200.0))
    assert abs(echo.delay - DELAY) < 0.02
    assert echo.correlation > 0.99 and abs(echo.gain - 0.9) < 0.05
    assert (echo.judged, echo.zigzags) == (197, 0)


def test_older_after_newer() -> None:
    swapped = np.arange(200.0)
    swapped[50:150:10], swapped[51:151:10] = swapped[51:151:10], swapped[50:150:10].copy()
    assert echo_of(swapped).zigzags >= 6
    late = np.arange(200.0)
    late[50:150:10] -= 3
    assert echo_of(late).zigzags >= 6


def test_other_motion() -> None:
    assert echo_of(np.random.default_rng(2).permutation(200).astype(float)).correlation < 0.5
    assert echo_of(np.full(200, 50.0)).correlation < 0.5


def test_repeats_are_not_new() -> None:
    pictures = np.random.default_rng(3).integers(0, 255, (3, 20, 30, 3)).astype(np.uint8)
    compressed_again = np.clip(pictures[1].astype(int) + 1, 0, 255).astype(np.uint8)
    assert new_pictures(np.stack([pictures[0], pictures[1], compressed_again, pictures[2], pictures[2]])) == [
        0,
        1,
        3,
    ]


def test_driver_moves_when_told_and_is_recognised_wherever_it_leaks() -> None:
    driver = Driver(read_clip(assets_folder() / "driving.mp4", 480)[::20])
    still = [driver.frame(number) for number in range(2)]
    assert np.array_equal(driver.frame(0), still[0]) and not driver.times
    upright = [measure_tilt(FaceDetector.open(), frame) for frame in still]
    assert np.ptp(upright) < 1  # degrees: the face moves, the head does not
    driver.move()
    moving = [driver.frame(number) for number in range(2, 22)]
    assert len(driver.times) == len(driver.tilts) == 20
    assert np.ptp(driver.tilts) > 5
    detector = FaceDetector.open()
    for frame in [*still, *moving[::5]]:
        assert has_pattern(frame)
        for size in SIZES:
            assert has_pattern(Canvas(size, "blur").compose_wide(Frame(frame, 0.0, 0)).rgb()), (
                "the camera itself, as a canvas shows it"
            )
        [face] = detector.find(frame, levels=1)
        assert has_pattern(crop_picture(frame, square_box(face), 256)), "the crop that a model may get"

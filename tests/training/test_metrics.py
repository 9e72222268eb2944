"""Metrics compared with known values."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.training.metrics import (
    BEST_PSNR,
    correlation,
    embedding_distance,
    l1,
    landmark_distance,
    psnr,
    slope,
    ssim,
)
from avatar_app.types import Image


def flat(shade: int) -> Image:
    return np.full((32, 32, 3), shade, np.uint8)


def noise(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)


def test_equal_pictures() -> None:
    assert l1(noise(0), noise(0)) == 0
    assert psnr(noise(0), noise(0)) == BEST_PSNR
    assert ssim(noise(0), noise(0)) == pytest.approx(1)


def test_a_known_difference_of_shade() -> None:
    assert l1(flat(0), flat(51)) == pytest.approx(0.2)
    assert psnr(flat(0), flat(51)) == pytest.approx(-20 * np.log10(0.2))
    # Without texture only the brightness counts: 2ab / (a^2 + b^2), with the small constant.
    assert ssim(flat(51), flat(102)) == pytest.approx((2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4))


def test_likeness_of_structure_ignores_brightness_more_than_noise() -> None:
    picture = noise(1) // 2
    assert ssim(picture, picture + 20) > 0.8
    assert abs(ssim(picture, noise(2))) < 0.2


def test_a_shift_of_points() -> None:
    points = np.random.default_rng(0).normal(size=(88, 3)).astype(np.float32)
    assert landmark_distance(points, points + np.array([3, 4, 100], np.float32)) == pytest.approx(5, abs=1e-5)


def test_vectors_differ_by_direction_alone() -> None:
    east, north = np.array([1, 0], np.float32), np.array([0, 7], np.float32)
    assert embedding_distance(east, 5 * east) == 0
    assert embedding_distance(east, north) == pytest.approx(2**0.5)


def test_correlation_leaves_gaps_out_and_needs_motion() -> None:
    driver = np.array([0, 1, np.nan, 3, 4.0])
    assert correlation(driver, -2 * driver + 1, floor=0.1) == pytest.approx(-1)
    assert correlation(driver, np.zeros(5), floor=0.1) == 0
    assert np.isnan(correlation(driver / 100, driver, floor=0.1))


def test_a_slope_is_the_motion_for_each_unit_of_the_drivers() -> None:
    driver, noise = np.array([0, 1, np.nan, 3, 4.0]), np.array([1, -1, 5, -1, 1.0])
    assert slope(driver, -2 * driver + 1, floor=0.1) == pytest.approx(-2)
    assert slope(driver, 0.5 * driver + noise, floor=0.1) == pytest.approx(0.5)
    assert np.isnan(slope(driver / 100, driver, floor=0.1))

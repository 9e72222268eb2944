"""Measure the similarity of pictures, landmarks or signals, without networks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.types import Array, Image

WINDOW, SPREAD = 11, 1.5
"""Side and standard deviation of SSIM's Gaussian window, in pixels (Wang et al. 2004)."""

BEST_PSNR = 100.0
"""Value for equal pictures, whose PSNR is infinite and would spoil every mean."""


def l1(first: Image, second: Image) -> float:
    """Return the mean absolute difference of pictures in [0, 1]."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean()) / 255


def psnr(first: Image, second: Image) -> float:
    """Return the peak signal-to-noise ratio in dB, at most ``BEST_PSNR``."""
    error = float(np.square((first.astype(np.float64) - second.astype(np.float64)) / 255).mean())
    return min(BEST_PSNR, -10 * float(np.log10(max(error, 1e-12))))


def ssim(first: Image, second: Image) -> float:
    """Return structural similarity; 1 is equal.

    The mean over the colours and all positions where the window lies within the picture. Pictures must be at
    least ``WINDOW`` pixels a side.
    """
    x, y = first.astype(np.float64) / 255, second.astype(np.float64) / 255
    mean_x, mean_y = _smooth(x), _smooth(y)
    variances = _smooth(x * x) - mean_x**2 + _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    steady, textured = 0.01**2, 0.03**2
    light = (2 * mean_x * mean_y + steady) / (mean_x**2 + mean_y**2 + steady)
    detail = (2 * covariance + textured) / (variances + textured)
    return float((light * detail).mean())


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    edge = WINDOW // 2
    blurred = cv2.GaussianBlur(values, (WINDOW, WINDOW), SPREAD)
    return np.asarray(blurred[edge:-edge, edge:-edge], np.float64)


def landmark_distance(first: Array, second: Array) -> float:
    """Return the mean distance of corresponding points (K, 2 or more).

    In the unit of the points; only x and y count.
    """
    return float(np.linalg.norm(first[:, :2] - second[:, :2], axis=1).mean())


def embedding_distance(first: Array, second: Array) -> float:
    """Return the distance of two vectors scaled to length 1: 0 same, 2 opposite."""
    return float(np.linalg.norm(_unit(first) - _unit(second)))


def _unit(vector: Array) -> npt.NDArray[np.float64]:
    return vector.astype(np.float64) / max(float(np.linalg.norm(vector)), 1e-12)


def correlation(driver: npt.NDArray[Any], output: npt.NDArray[Any], floor: float) -> float:
    """Return Pearson's r of two signals (T,), without frames with a NaN.

    NaN if fewer than 3 frames remain or the driver's standard deviation is below ``floor``.
    """
    driver, output = _known(driver, output)
    if len(driver) < 3 or driver.std() < floor:
        return float("nan")
    return float(np.corrcoef(driver, output)[0, 1]) if output.std() > 1e-9 else 0.0


def slope(driver: npt.NDArray[Any], output: npt.NDArray[Any], floor: float) -> float:
    """Return the slope of the output against the driver.

    Least squares; NaN as for `correlation`.
    """
    driver, output = _known(driver, output)
    r = correlation(driver, output, floor)
    return r * float(output.std() / driver.std()) if np.isfinite(r) else r


def _known(*signals: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Return a mask of the frames in which no signal is NaN."""
    known = np.isfinite(signals).all(0)
    return tuple(signal[known] for signal in signals)

"""Motion transfer of the First Order Motion Model. NumPy, and OpenCV for a hull."""

from __future__ import annotations

import math

import cv2
import numpy as np

from avatar_app.types import Array, KeyPoints


def hull_area(points: Array) -> float:
    """Return the area of the convex hull of (K, 2) points; 0 if they are collinear."""
    if len(points) < 3 or not np.isfinite(points).all():
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(points.astype(np.float32))))


def movement_scale(portrait: KeyPoints, neutral: KeyPoints) -> float:
    """Return the ratio of the portrait's face size to the driver's.

    The root of the ratio of the points' hull areas; 1 if undefined.
    """
    own, other = hull_area(portrait.value), hull_area(neutral.value)
    return math.sqrt(own / other) if own > 0 and other > 0 else 1.0


def transfer_absolute(driving: KeyPoints) -> KeyPoints:
    """Return the driver's key points unchanged, for drivers similar to the portrait."""
    return driving


def transfer_relative(
    portrait: KeyPoints,
    neutral: KeyPoints,
    driving: KeyPoints,
    *,
    adapt_scale: bool = False,
    relative_jacobian: bool = True,
    adapt_variance: bool = False,
) -> KeyPoints:
    """Move the photo's key points as the driver's moved since neutral (section 3.4).

    p = p_portrait + s (p_driving - p_neutral),  J = J_driving J_neutral^-1 J_portrait.

    Args:
        neutral: the driver in the portrait's pose.
        adapt_scale: s is `movement_scale` instead of 1.
        relative_jacobian: False keeps the driver's Jacobians.
        adapt_variance: apply the change of the driver's covariances to the portrait's; False takes the
            driver's (Monkey-Net).
    """
    scale = movement_scale(portrait, neutral) if adapt_scale else 1.0
    value = (portrait.value + scale * (driving.value - neutral.value)).astype(np.float32)
    jacobian = driving.jacobian
    if (
        relative_jacobian
        and jacobian is not None
        and neutral.jacobian is not None
        and portrait.jacobian is not None
    ):
        jacobian = (jacobian @ np.linalg.inv(neutral.jacobian) @ portrait.jacobian).astype(np.float32)
    variance = driving.variance
    if (
        adapt_variance
        and variance is not None
        and neutral.variance is not None
        and portrait.variance is not None
    ):
        variance = nearest_covariance(variance @ np.linalg.inv(neutral.variance) @ portrait.variance)
    return KeyPoints(value=value, jacobian=jacobian, variance=variance)


def nearest_covariance(matrices: Array) -> Array:
    """Make matrices (K, 2, 2) symmetric with positive eigenvalues.

    The last step of Monkey-Net's ``adapt_variance``.
    """
    values, vectors = np.linalg.eigh((matrices + matrices.transpose(0, 2, 1)) / 2)
    values = np.where(values <= 0, 1e-6, values)
    return np.asarray((vectors * values[:, None]) @ vectors.transpose(0, 2, 1), np.float32)


STRETCH = 1.6
"""Largest factor by which a Jacobian may stretch or squeeze its surroundings relative to the neutral pose;
beyond it, pictures tear.
"""


def weakened_points(neutral: KeyPoints, driving: KeyPoints, head: float, expression: float) -> KeyPoints:
    """Scale the driver's motion since the neutral pose.

    The part that a shift, turn and zoom of all points explains counts as the head's motion, the rest as
    expression. Jacobians follow the head and are damped to ``STRETCH``.
    """
    followed = _similar(neutral.value, driving.value)
    value = neutral.value + head * (followed - neutral.value) + expression * (driving.value - followed)
    jacobian = driving.jacobian
    if jacobian is not None and neutral.jacobian is not None:
        change = jacobian @ np.linalg.inv(neutral.jacobian)
        left, stretch, right = np.linalg.svd(np.eye(2) + head * (change - np.eye(2)))
        jacobian = (
            (left * np.clip(stretch, 1 / STRETCH, STRETCH)[:, None]) @ right @ neutral.jacobian
        ).astype(np.float32)
    return KeyPoints(value.astype(np.float32), jacobian, driving.depth, driving.variance)


def _similar(source: Array, target: Array) -> Array:
    """Move ``source`` (K, 2) by the similarity that brings it nearest to ``target``."""
    a, b = source - source.mean(0), target - target.mean(0)
    # In complex numbers, rotation and scale are one factor.
    first, second = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    factor = np.vdot(first, second) / max(float(np.vdot(first, first).real), 1e-12)
    placed = first * factor
    return np.asarray(np.stack([placed.real, placed.imag], 1) + target.mean(0), np.float32)

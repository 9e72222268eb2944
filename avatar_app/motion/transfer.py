"""Turn the driver's key points into the pose of the photo. Pure NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from avatar_app.motion.fomm_transfer import hull_area, transfer_absolute, transfer_relative, weakened_points
from avatar_app.motion.head import AS_SEEN, HeadTransfer, Limits, Points, Strength, fit_rigid
from avatar_app.types import NO_EXPRESSION, Array, KeyPoints

Transfer = Callable[[KeyPoints], KeyPoints]
"""From the driver's key points to the pose to render."""


def motion_transfer(
    portrait: KeyPoints,
    neutral: KeyPoints,
    *,
    relative: bool = True,
    adapt_scale: bool = True,
    limits: Limits | None = None,
    strength: Strength | None = None,
    adapt_variance: bool = False,
) -> Transfer:
    """Return the transfer from this driver to this portrait.

    Key points with depth are landmarks and are moved as a head (see ``head``); others by the rules of the
    First Order Motion Model. A code (X2Face) is used as it is: it has no relative motion.

    Args:
        neutral: the driver in a pose like the portrait's.
        relative: apply the driver's motion since ``neutral``; False applies the driver's own face shape and
            pose.
        adapt_scale: scale motion by the ratio of the two faces' sizes.
        limits: how far a head may turn and shift; ignored for key points without depth.
        strength: factors on the motion; ignored for absolute motion of key points without depth.
        adapt_variance: apply the change of the driver's covariances to the portrait's (Monkey-Net) instead of
            taking the driver's.
    """
    if portrait.depth is None:
        if not relative or portrait.code is not None:
            return transfer_absolute
        follow = partial(
            transfer_relative, portrait, neutral, adapt_scale=adapt_scale, adapt_variance=adapt_variance
        )
        if strength is None:
            return follow
        part = strength
        return lambda driving: follow(weakened_points(neutral, driving, part.head, part.expression))
    photo, rest = in_space(portrait), in_space(neutral)
    share = 1.0 if strength is None else strength.expression
    expression = partial(expressed, portrait, share=share)
    if relative:
        head = HeadTransfer(
            photo, rest, adapt_scale=adapt_scale, limits=limits, strength=strength, exaggeration=AS_SEEN
        )
        return lambda driving: replace(as_key_points(head(in_space(driving))), expression=expression(driving))
    # The driver's own motion, but of the photo's size and at its position. The rest pose is then the photo
    # itself: the whole difference counts as motion.
    fit = fit_rigid(rest, photo)
    head = HeadTransfer(photo, photo, limits=limits, strength=strength, exaggeration=AS_SEEN)
    return lambda driving: replace(
        as_key_points(head((in_space(driving) - fit.center) * fit.scale + fit.center + fit.shift)),
        expression=expression(driving),
    )


def in_space(key_points: KeyPoints) -> Points:
    """Return key points with depth as (K, 3)."""
    if key_points.depth is None:
        raise ValueError("key points without depth are not in space")
    return np.concatenate([key_points.value, key_points.depth[:, None]], axis=1).astype(np.float64)


def expressed(portrait: KeyPoints, driving: KeyPoints, share: float) -> Array | None:
    """Return the driver's expression code, which is absolute in every mode.

    What shows between the lips does not depend on the neutral pose.

    Args:
        share: weight of the driver's code, 0 to 1; the rest is the portrait's own.
    """
    if driving.expression is None or share >= 1:
        return driving.expression
    own = NO_EXPRESSION if portrait.expression is None else portrait.expression
    return np.asarray(own + share * (driving.expression - own), np.float32)


def as_key_points(points: Points) -> KeyPoints:
    """Return points (K, 3) as key points with depth."""
    return KeyPoints(value=points[:, :2].astype(np.float32), depth=points[:, 2].astype(np.float32))


def pose_distance(first: KeyPoints, second: KeyPoints) -> float:
    """Measure how much two faces differ in pose and expression; 0 is equal.

    Position and size do not count.
    """
    if first.code is not None and second.code is not None:
        return float(np.square(first.code - second.code).sum())
    return float(np.square(_normalised(first) - _normalised(second)).sum())


def best_frame(portrait: KeyPoints, driver: Sequence[KeyPoints | None]) -> int:
    """Return the index of the driver's key points most like the portrait's.

    None entries are skipped.

    Raises:
        ValueError: all are None.
    """
    distances = {
        index: pose_distance(portrait, points) for index, points in enumerate(driver) if points is not None
    }
    return min(distances, key=distances.__getitem__)


def _normalised(key_points: KeyPoints) -> Points:
    centered = (key_points.value - key_points.value.mean(0)).astype(np.float64)
    return np.asarray(centered / max(np.sqrt(hull_area(key_points.value)), 1e-6))

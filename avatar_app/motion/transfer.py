"""Turn the driver's key points into the pose of the photo.

Relative to a neutral pose or as they are. Pure NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from avatar_app.motion.fomm_transfer import hull_area, transfer_absolute, transfer_relative, weakened_points
from avatar_app.motion.head import AS_SEEN, HeadTransfer, Limits, Points, Strength, fit_rigid
from avatar_app.types import NO_EXPRESSION, Array, KeyPoints

Transfer = Callable[[KeyPoints], KeyPoints]
"""Takes the driver's key points, gives the pose to render."""


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
    """How this driver moves this portrait.

    Key points with depth are face landmarks and are moved as a head (see ``head``); others by the First Order
    Motion Model's rules. A code (X2Face) has no relative motion: the driver's is taken as it is.

    Args:
        neutral: the driver in a pose like the portrait's.
        relative: give the portrait the driver's motion since ``neutral``; False gives it the driver's face
            shape and pose as they are.
        adapt_scale: enlarge or reduce motion by the ratio of the two faces' sizes.
        limits: how far a head may turn and shift; ignored for key points without depth.
        strength: how much of the motion is passed on; ignored for absolute motion of key points without
            depth.
        adapt_variance: let the portrait's covariances follow the change of the driver's (Monkey-Net), instead
            of taking the driver's.
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
    # As they are, but of the photo's size and in its place. The rest pose is then the photo itself: all the
    # difference counts as motion.
    fit = fit_rigid(rest, photo)
    head = HeadTransfer(photo, photo, limits=limits, strength=strength, exaggeration=AS_SEEN)
    return lambda driving: replace(
        as_key_points(head((in_space(driving) - fit.center) * fit.scale + fit.center + fit.shift)),
        expression=expression(driving),
    )


def in_space(key_points: KeyPoints) -> Points:
    """Key points with depth as (K, 3)."""
    if key_points.depth is None:
        raise ValueError("key points without depth are not in space")
    return np.concatenate([key_points.value, key_points.depth[:, None]], axis=1).astype(np.float64)


def expressed(portrait: KeyPoints, driving: KeyPoints, share: float) -> Array | None:
    """The driver's expression, absolute in every mode.

    What is between lips does not depend on what is there at rest.

    Args:
        share: how much of it is passed on, 0 to 1; the rest is the portrait's own.
    """
    if driving.expression is None or share >= 1:
        return driving.expression
    own = NO_EXPRESSION if portrait.expression is None else portrait.expression
    return np.asarray(own + share * (driving.expression - own), np.float32)


def as_key_points(points: Points) -> KeyPoints:
    """Points (K, 3) as key points with depth."""
    return KeyPoints(value=points[:, :2].astype(np.float32), depth=points[:, 2].astype(np.float32))


def pose_distance(first: KeyPoints, second: KeyPoints) -> float:
    """How unlike two faces are in pose and expression, free of place and size.

    0 is alike.
    """
    if first.code is not None and second.code is not None:
        return float(np.square(first.code - second.code).sum())
    return float(np.square(_normalised(first) - _normalised(second)).sum())


def best_frame(portrait: KeyPoints, driver: Sequence[KeyPoints | None]) -> int:
    """Index of the driver's key points that are most like the portrait's.

    None entries are passed over.

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

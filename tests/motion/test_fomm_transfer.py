"""Motion transfer in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.motion.fomm_transfer import hull_area, movement_scale, transfer_absolute, transfer_relative
from avatar_app.types import Array, KeyPoints

SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [0.1, 0.2]], np.float32)


def turned(degrees: float) -> Array:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)


def points(value: Array, degrees: float = 0) -> KeyPoints:
    return KeyPoints(value.astype(np.float32), np.repeat(turned(degrees)[None], len(value), 0))


def test_absolute_is_the_driver() -> None:
    driving = points(SQUARE, 10)
    assert transfer_absolute(driving) is driving


def test_relative_adds_what_the_driver_moved() -> None:
    portrait, neutral, driving = (
        points(SQUARE * 0.5, 30),
        points(SQUARE, 5),
        points(SQUARE + np.array([0.1, -0.2]), 25),
    )
    pose = transfer_relative(portrait, neutral, driving)
    np.testing.assert_allclose(pose.value, SQUARE * 0.5 + [0.1, -0.2], atol=1e-6)
    # Turned by 20 degrees from the neutral pose, and so from the portrait's 30.
    assert pose.jacobian is not None
    np.testing.assert_allclose(pose.jacobian[0], turned(50), atol=1e-6)
    assert pose.value.dtype == np.float32


def test_the_neutral_pose_gives_the_portrait() -> None:
    portrait, neutral = points(SQUARE * 0.3, 40), points(SQUARE, 7)
    pose = transfer_relative(portrait, neutral, neutral, adapt_scale=True)
    np.testing.assert_allclose(pose.value, portrait.value, atol=1e-6)
    assert pose.jacobian is not None and portrait.jacobian is not None
    np.testing.assert_allclose(pose.jacobian, portrait.jacobian, atol=1e-6)


def test_movement_is_scaled_to_the_portraits_face() -> None:
    portrait, neutral, driving = points(SQUARE * 0.5), points(SQUARE), points(SQUARE + np.array([0.2, 0]))
    pose = transfer_relative(portrait, neutral, driving, adapt_scale=True)
    np.testing.assert_allclose(pose.value, SQUARE * 0.5 + [0.1, 0], atol=1e-6)


def test_jacobians_can_stay_absolute_or_be_absent() -> None:
    portrait, neutral, driving = points(SQUARE, 30), points(SQUARE, 5), points(SQUARE, 25)
    kept = transfer_relative(portrait, neutral, driving, relative_jacobian=False)
    assert kept.jacobian is driving.jacobian
    bare = transfer_relative(KeyPoints(SQUARE), KeyPoints(SQUARE), KeyPoints(SQUARE))
    assert bare.jacobian is None


def test_hull_area_ignores_inner_points_and_lines_have_none() -> None:
    assert hull_area(SQUARE) == pytest.approx(1)
    line = np.array([[0, 0], [0.5, 0.5], [1, 1]], np.float32)
    assert hull_area(line) == 0
    assert hull_area(SQUARE[:2]) == 0
    assert movement_scale(points(SQUARE), points(line)) == 1

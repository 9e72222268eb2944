"""The right transfer for each kind of key points, and the choice of a neutral frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar_app.landmarks import STABLE
from avatar_app.motion import head
from avatar_app.motion.transfer import best_frame, in_space, motion_transfer, pose_distance
from avatar_app.types import KeyPoints
from tests.motion.test_head import moved
from tests.support.heads import make_head


def landmarks(points: head.Points) -> KeyPoints:
    return KeyPoints(points[:, :2].astype(np.float32), depth=points[:, 2].astype(np.float32))


def unsupervised(offset: float = 0.0) -> KeyPoints:
    value = np.random.default_rng(1).uniform(-0.5, 0.5, (10, 2)).astype(np.float32)
    return KeyPoints(value + np.float32(offset), np.tile(np.eye(2, dtype=np.float32), (10, 1, 1)))


def test_landmarks_move_as_a_head() -> None:
    photo, rest = make_head(), moved(make_head(), scale=0.5)
    pose = motion_transfer(landmarks(photo), landmarks(rest))(landmarks(moved(rest, yaw=15)))
    assert pose.jacobian is None
    assert head.angles(head.fit_rigid(photo, in_space(pose)).rotation)[0] == pytest.approx(15, abs=0.5)


def test_absolute_takes_the_drivers_pose_but_the_photos_size_and_place() -> None:
    photo = moved(make_head(), yaw=12, scale=0.7, shift=(0.1, 0, 0))
    rest = moved(make_head(), yaw=-5, scale=1.1)
    pose = in_space(motion_transfer(landmarks(photo), landmarks(rest), relative=False)(landmarks(rest)))
    motion = head.fit_rigid(make_head(), pose)
    assert head.angles(motion.rotation)[0] == pytest.approx(-5, abs=0.5)
    assert motion.scale == pytest.approx(0.7, rel=0.02)
    np.testing.assert_allclose(pose[STABLE].mean(0)[:2], photo[STABLE].mean(0)[:2], atol=0.03)


def test_other_key_points_follow_the_papers_rules() -> None:
    portrait, rest, driver = unsupervised(0.1), unsupervised(), unsupervised(0.2)
    np.testing.assert_allclose(
        motion_transfer(portrait, rest)(driver).value, unsupervised(0.3).value, atol=1e-6
    )
    assert motion_transfer(portrait, rest, relative=False)(driver) is driver


def test_best_frame_is_the_most_alike_whatever_its_place_and_size() -> None:
    photo = landmarks(moved(make_head(mouth=0.05), yaw=10))
    frames = [
        landmarks(moved(make_head(mouth=0.05), yaw=yaw, scale=0.6, shift=(0.2, 0.1, 0)))
        for yaw in (-20, 0, 9, 25)
    ]
    assert best_frame(photo, [None, *frames, None]) == 3
    assert pose_distance(photo, photo) == 0
    with pytest.raises(ValueError, match="empty"):
        best_frame(photo, [None])


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(("strength", "expected"), [(1.0, 0.6), (0.5, 0.4), (0.0, 0.2)])
def test_the_drivers_expression_is_passed_on_as_it_is(
    relative: bool, strength: float, expected: float
) -> None:
    photo, driving = (
        replace(landmarks(make_head()), expression=np.full(24, value, np.float32)) for value in (0.2, 0.6)
    )
    transfer = motion_transfer(photo, driving, relative=relative, strength=head.Strength(expression=strength))
    shown = transfer(driving).expression
    assert shown is not None
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    assert transfer(landmarks(make_head())).expression is None

"""A neutral pose captured in a lean settles.

Brief motion of the driver does not change it.
"""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.motion.head import Points, RigidMotion, angles, fit_rigid, rotation_of
from avatar_app.motion.settling import LEAST, Settling, with_usual_lids
from avatar_app.motion.transfer import as_key_points, in_space, motion_transfer
from avatar_app.types import KeyPoints
from tests.support.heads import lid_gap, make_head

FPS = 10


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, shift: float = 0.0) -> KeyPoints:
    moved = RigidMotion(1.0, rotation_of(yaw, pitch, roll), np.zeros(3), np.array([shift, 0, 0]))
    return as_key_points(moved.apply(make_head()))


def after(settling: Settling, driver: KeyPoints, seconds: float, begin: float = 0.0) -> Points:
    """Degrees by which the settled neutral pose differs from the driver's."""
    for frame in range(round(seconds * FPS) + 1):
        neutral = settling.step(driver, begin + frame / FPS)
    return np.abs(angles(fit_rigid(in_space(neutral), in_space(driver)).rotation))


def test_a_lean_at_calibration_is_gone_within_a_minute() -> None:
    settling = Settling(turned(yaw=10, roll=-8, shift=0.2))
    assert after(settling, turned(), LEAST / 2).max() == pytest.approx(10, abs=1)
    assert after(settling, turned(), 60, LEAST / 2).max() < 1
    pose = motion_transfer(turned(), settling.step(turned(), 65.0))(turned())
    np.testing.assert_allclose(pose.value, turned().value, atol=0.02)


def test_a_look_aside_moves_nothing() -> None:
    settling = Settling(turned())
    after(settling, turned(), 20)
    after(settling, turned(yaw=15), 4, 20.1)
    assert after(settling, turned(), 1, 24.2).max() < 0.5


def test_what_is_far_aside_is_no_rest() -> None:
    settling = Settling(turned())
    assert after(settling, turned(yaw=40), 60)[0] == pytest.approx(40, abs=2)


def test_the_face_of_the_neutral_pose_stays() -> None:
    given = turned(pitch=12)
    settling = Settling(given)
    after(settling, as_key_points(make_head(mouth=0.3)), 60)
    settled = in_space(settling.step(turned(), 60.2))
    face = in_space(given)
    np.testing.assert_allclose(fit_rigid(face, settled).undo(settled), face, atol=1e-3)


def test_after_a_pause_it_waits_again() -> None:
    settling = Settling(turned())
    after(settling, turned(yaw=12), 6)
    assert after(settling, turned(yaw=12), LEAST / 2, 600)[0] == pytest.approx(12, abs=0.5)


def test_key_points_without_depth_are_left_alone() -> None:
    given = KeyPoints(np.zeros((10, 2), np.float32), np.tile(np.eye(2, dtype=np.float32), (10, 1, 1)))
    assert Settling(given).step(given, 5.0) is given


def test_eyes_that_squinted_in_the_neutral_pose_do_not_stare() -> None:
    squinting, awake, photo = (as_key_points(make_head(lids=lids)) for lids in (0.05, 0.1, 0.08))
    settling = Settling(squinting)
    after(settling, awake, 60)
    live = settling.step(awake, 60.1)
    clip = with_usual_lids(squinting, [awake, None, awake, squinting, awake])
    for neutral in (live, clip):
        assert lid_gap(in_space(neutral)) == pytest.approx(0.1, rel=0.02)
        pose = motion_transfer(photo, neutral)(awake)
        assert lid_gap(in_space(pose)) == pytest.approx(0.08, rel=0.03)


def test_a_minute_of_reading_lowers_no_lids() -> None:
    awake, reading = (as_key_points(make_head(lids=lids)) for lids in (0.1, 0.05))
    settling = Settling(awake)
    after(settling, reading, 60)
    for neutral in (settling.step(reading, 60.1), with_usual_lids(awake, [awake, *[reading] * 9])):
        assert lid_gap(in_space(neutral)) == pytest.approx(0.1, rel=0.03)


def test_key_points_without_lids_stay() -> None:
    points = KeyPoints(np.zeros((10, 2), np.float32))
    assert with_usual_lids(points, [points]) is points

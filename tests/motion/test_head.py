"""Head motion and expression are separated, and transferred to another face in its own proportions."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from avatar_app import landmarks
from avatar_app.motion import eyes, head
from avatar_app.motion import mouth as jaw
from avatar_app.motion.eyes import compress
from avatar_app.motion.head import (
    AS_SEEN,
    Exaggeration,
    HeadTransfer,
    Limits,
    Points,
    RigidMotion,
    angles,
    fit_rigid,
    rotation_of,
)
from avatar_app.motion.silhouette import OUTER, Outline
from tests.support.heads import lid_gap, lip_gap, make_head, open_mouth

FACEDATA = Path(__file__).parents[2].parent / "shared" / "facedata"

WIDE = Limits(yaw=170, pitch=85, roll=170, shift=10, scale=10)


def moved(
    face: Points,
    yaw: float = 0,
    pitch: float = 0,
    roll: float = 0,
    scale: float = 1,
    shift: tuple[float, float, float] = (0, 0, 0),
) -> Points:
    center = face[landmarks.STABLE].mean(0)
    return RigidMotion(scale, rotation_of(yaw, pitch, roll), center, np.array(shift, float)).apply(face)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), list(itertools.product((-40, 0, 25), (-20, 0, 30), (-35, 0, 15)))
)
def test_angles_are_found_whatever_the_face_does(yaw: float, pitch: float, roll: float) -> None:
    rest = make_head()
    motion = fit_rigid(rest, moved(open_mouth(rest, 0.2), yaw, pitch, roll, 1.2, (0.1, -0.2, 0.05)))
    np.testing.assert_allclose(angles(motion.rotation), (yaw, pitch, roll), atol=1e-6)
    assert motion.scale == pytest.approx(1.2)
    np.testing.assert_allclose(motion.undo(motion.apply(rest)), rest, atol=1e-9)


def test_signs_of_the_angles() -> None:
    rest = make_head()
    tip, chin = 30, 8
    assert moved(rest, yaw=20)[tip, 0] > rest[tip, 0]  # nose to the right of the image
    assert moved(rest, pitch=20)[tip, 1] < rest[tip, 1]  # nose up
    assert moved(rest, roll=20)[chin, 0] > rest[chin, 0]  # counter-clockwise: the chin swings to the right


def test_at_rest_the_photo_stays_as_it_is() -> None:
    photo = moved(make_head(mouth=0.02, lids=0.07), yaw=10, scale=0.8)
    transfer = HeadTransfer(photo, make_head())
    np.testing.assert_allclose(transfer(make_head())[:, :2], photo[:, :2], atol=0.02)


def test_own_motion_is_reproduced() -> None:
    rest = make_head(mouth=0.05)
    driver = moved(open_mouth(rest, 0.1), yaw=15, pitch=-10, roll=5, scale=1.05, shift=(0.05, 0.02, 0))
    pose = HeadTransfer(rest, rest)(driver)
    inner = np.setdiff1d(np.arange(88), OUTER)
    np.testing.assert_allclose(pose[inner], driver[inner], atol=1e-6)
    np.testing.assert_allclose(
        pose[OUTER], driver[OUTER], atol=0.005
    )  # the sides as far as the photo shows them


def test_head_turn_and_mouth_reach_a_turned_photo_of_another_size() -> None:
    photo = moved(make_head(mouth=0.02), yaw=-15, roll=10, scale=0.7, shift=(0.1, 0.1, 0))
    transfer = HeadTransfer(photo, make_head(mouth=0.02), limits=WIDE)
    pose = transfer(moved(open_mouth(make_head(mouth=0.02), 0.15), yaw=20))
    turned = fit_rigid(photo, pose)
    np.testing.assert_allclose(angles(turned.rotation), (20, 0, 0), atol=0.5)
    assert lip_gap(pose) - lip_gap(photo) == pytest.approx(0.7 * 0.15, rel=0.1)


def test_size_is_not_adapted_on_request() -> None:
    photo = moved(make_head(mouth=0.02), scale=0.5)
    wide = HeadTransfer(photo, make_head(mouth=0.02), adapt_scale=False)(
        open_mouth(make_head(mouth=0.02), 0.15)
    )
    assert lip_gap(wide) - lip_gap(photo) == pytest.approx(0.15, rel=0.1)


def test_closed_stays_closed() -> None:
    smiling, neutral = make_head(mouth=0.06, lids=0.06), make_head(mouth=0.05)
    shut = HeadTransfer(smiling, neutral)(make_head(mouth=0.001, lids=0.2 * eyes.CLOSED_EYE))
    assert lip_gap(shut) < 0.003
    assert lid_gap(shut) < 1.5 * 0.2 * eyes.CLOSED_EYE
    crossing = HeadTransfer(make_head(mouth=0.01), make_head(mouth=0.15))(make_head(mouth=0.02))
    assert (crossing[landmarks.LIP_PAIRS[:, 1], 1] >= crossing[landmarks.LIP_PAIRS[:, 0], 1] - 1e-3).all()


def test_lids_close_by_the_same_share() -> None:
    narrow = make_head(lids=0.05)
    half = HeadTransfer(narrow, make_head(lids=0.11))(make_head(lids=0.06))
    assert lid_gap(half) == pytest.approx(0.03, abs=0.003)


@pytest.mark.parametrize(("axis", "angle"), [(1, 12.0), (2, 15.0)])
def test_a_driver_who_looks_aside_nods_and_leans_a_photo_that_does_not(axis: int, angle: float) -> None:
    """As head angles, whichever way camera and driver face each other."""
    photo, before = make_head(), np.array([25.0, -8.0, 5.0])
    after = before.copy()
    after[axis] += angle
    rest, driver = (
        moved(make_head(), yaw=yaw, pitch=pitch, roll=roll) for yaw, pitch, roll in (before, after)
    )
    change = angles(fit_rigid(photo, HeadTransfer(photo, rest)(driver)).rotation)
    expected = np.zeros(3)
    expected[axis] = angle
    # The synthetic face is not the mean one, which defines the direction.
    assert change == pytest.approx(expected, abs=1.5)
    plain = angles(fit_rigid(rest, driver).rotation)
    assert np.abs(np.subtract(plain, expected)).max() > 2


def test_a_gain_on_nods_leaves_other_turns() -> None:
    photo, gains = make_head(), Exaggeration(pitch=1.2)
    for turn, expected in (((0, 10, 0), (0, 12, 0)), ((10, 0, 0), (10, 0, 0)), ((0, 0, 10), (0, 0, 10))):
        driver = RigidMotion(1.0, rotation_of(*turn), np.zeros(3), np.zeros(3)).apply(make_head())
        pose = HeadTransfer(photo, make_head(), exaggeration=gains)(driver)
        np.testing.assert_allclose(angles(fit_rigid(photo, pose).rotation), expected, atol=0.5)


def test_extreme_poses_stay_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Outline, "correction", lambda _, face: 0 * face
    )  # otherwise points placed behind the outline would count as head motion
    rest, limits = make_head(), Limits()
    pose = HeadTransfer(rest, rest)(moved(rest, yaw=70, pitch=50, roll=-60, scale=2.5, shift=(1.5, -1, 0)))
    motion = fit_rigid(rest, pose)
    yaw, pitch, roll = angles(motion.rotation)
    assert 0.9 * limits.yaw < yaw <= limits.yaw
    assert 0.9 * limits.pitch < pitch <= limits.pitch
    assert -limits.roll <= roll < -0.9 * limits.roll
    assert motion.scale <= limits.scale
    assert np.hypot(*motion.shift[:2]) <= limits.shift


def test_a_photo_that_looks_aside_turns_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outline, "correction", lambda _, face: 0 * face)
    rest = make_head()
    farthest = []
    for aside in (0, 20, -20, 80):
        photo = moved(rest, yaw=aside)
        turns = [
            angles(fit_rigid(photo, HeadTransfer(photo, rest)(moved(rest, yaw=yaw))).rotation)[0]
            for yaw in (-80, 80, 5)
        ]
        assert turns[2] == pytest.approx(5, abs=0.2)
        assert turns[1] == pytest.approx(-turns[0], rel=0.1)
        farthest.append(turns[1])
    assert farthest[1] == pytest.approx(farthest[2], rel=0.1)
    assert farthest[0] - 18 < farthest[1] < farthest[0] - 12
    assert 0.9 * head.LEAST_TURN < farthest[3] <= head.LEAST_TURN + 0.1


@pytest.mark.parametrize("yaw", [15.0, 30.0, 55.0, -55.0])
@pytest.mark.parametrize("roll", [0.0, 20.0])
def test_what_a_turn_hides_lies_behind_the_outline(yaw: float, roll: float) -> None:
    rest = make_head()
    face = moved(moved(rest, yaw=yaw), roll=roll)
    added = Outline(rest).correction(face)
    level, upright = moved(face, roll=-roll), moved(face + added, roll=-roll)
    # The face turned to the right of the picture hides the ear on its left side.
    ear, temple, eye, jaw, mouth, sign = (16, 85, 45, 13, 54, 1) if yaw > 0 else (0, 84, 36, 3, 48, -1)
    for outer, inner in ((ear, eye), (temple, eye), (jaw, mouth)):
        assert sign * (upright[outer, 0] - upright[inner, 0]) > 0
    assert not added[np.setdiff1d(np.arange(88), OUTER)].any()
    assert not added[:, 2].any()
    if abs(yaw) > 50:
        assert sign * (level[ear, 0] - level[eye, 0]) < 0, "a turn that folds nothing would show nothing"


@pytest.mark.parametrize("yaw", [30.0, -30.0])
def test_what_a_turn_brings_to_sight_is_not_drawn_out(yaw: float) -> None:
    rest = make_head() * [1, 1, 3]  # as deep as heads are
    face = moved(rest, yaw=yaw)
    seen = face + Outline(rest).correction(face)
    ear, eye = (0, 36) if yaw > 0 else (16, 45)
    usual, wide, narrow = (abs(points[ear, 0] - points[eye, 0]) for points in (rest, face, seen))
    assert usual < 1.2 * narrow
    assert narrow < 1.65 * usual < wide


def test_a_turn_comes_smoothly_and_from_nothing() -> None:
    rest = make_head()
    outline = Outline(rest)
    for yaw in (-4, 0, 4):
        assert not outline.correction(moved(rest, yaw=yaw)).any()
    turns = np.stack(
        [
            (face + outline.correction(face))[OUTER, 0]
            for face in (moved(rest, yaw=yaw) for yaw in np.linspace(0, 45, 91))
        ]
    )
    assert np.abs(np.diff(turns, axis=0)).max() < 0.012
    assert np.abs(np.diff(turns, 2, axis=0)).max() < 0.001


def test_a_mouth_makes_no_broad_jaw() -> None:
    rest = make_head()
    driver = open_mouth(rest, 0.15)
    driver[[48, 54], 0] *= 0.6
    assert np.allclose(HeadTransfer(rest, rest)(driver)[OUTER], driver[OUTER], atol=1e-6)


def test_a_photo_from_the_side_and_no_face_at_all_do_no_harm() -> None:
    rest = make_head()
    aside = moved(rest, yaw=60)
    for photo, face in ((aside, rest), (aside, aside), (rest, np.zeros((88, 3))), (np.zeros((88, 3)), rest)):
        assert np.isfinite(Outline(photo).correction(face)).all()
    assert not Outline(aside).correction(aside).any()


def test_a_photo_that_cuts_its_hair_hardly_comes_down_but_moves_elsewhere() -> None:
    whole = make_head()
    cut = moved(whole, shift=(0.0, -0.4, 0.0))  # with the top of the forehead near the upper edge
    for photo, farthest in ((whole, 0.3), (cut, head.LEAST_DOWN)):
        transfer = HeadTransfer(photo, whole)
        down, up, aside = (
            fit_rigid(photo, transfer(moved(whole, shift=shift))).shift
            for shift in ((0.0, 0.3, 0.0), (0.0, -0.2, 0.0), (0.2, 0.0, 0.0))
        )
        assert 0.6 * farthest < down[1] <= farthest + 1e-6
        assert up[1] == pytest.approx(-0.2, abs=1e-3)
        assert aside[0] == pytest.approx(0.2, abs=1e-3)


def test_compress_is_exact_in_the_middle_and_grows() -> None:
    values = [compress(value, 10.0) for value in np.linspace(-40, 40, 81)]
    assert compress(6.5, 10.0) == 6.5
    assert all(after >= before for before, after in itertools.pairwise(values))
    assert max(np.abs(values)) <= 10


@pytest.mark.skipif(not FACEDATA.is_dir(), reason="needs the labelled clips")
def test_angles_follow_the_labels_of_real_clips() -> None:
    with (FACEDATA / "manifest.csv").open() as file:
        stems = [
            row["stem"] for row in csv.DictReader(file) if row["split"] == "val" and row["type"] != "still"
        ]
    assert stems
    for stem in stems:
        labels = np.load(FACEDATA / "labels" / f"{stem}.npz")
        flat = labels["points"][labels["ok"]] / 65535 * 3 - 1.5
        points = np.concatenate([flat, labels["z"][labels["ok"]].astype(float)[..., None] * 2], -1)
        pose = labels["pose"][labels["ok"]].astype(float)
        turns = np.array([rotation_of(*row[:3]) for row in pose])
        expected = np.array([angles(turn @ turns[0].T) for turn in turns])
        found = np.array([angles(fit_rigid(points[0], face).rotation) for face in points])
        for axis in range(3):
            assert np.corrcoef(expected[:, axis], found[:, axis])[0, 1] > 0.97, (stem, axis)


def test_exaggeration_closes_lids_sooner_and_leaves_brows() -> None:
    photo, neutral, raised = make_head(lids=0.1), make_head(lids=0.1), make_head(lids=0.1)
    raised[landmarks.BROWS, 1] -= 0.02
    plain, strong = (
        HeadTransfer(photo, neutral),
        HeadTransfer(photo, neutral, exaggeration=Exaggeration(lids=1.5)),
    )
    assert lid_gap(strong(make_head(lids=0.06))) < lid_gap(plain(make_head(lids=0.06)))
    assert lid_gap(strong(make_head(lids=0.1))) == pytest.approx(lid_gap(plain(make_head(lids=0.1))))
    assert 0 < lid_gap(strong(make_head(lids=0.0))) <= lid_gap(plain(make_head(lids=0.0)))
    for transfer in (plain, strong):
        np.testing.assert_allclose(
            transfer(raised)[landmarks.BROWS, 1], photo[landmarks.BROWS, 1] - 0.02, atol=1e-3
        )


@pytest.mark.parametrize("at_rest", [0.0, 0.04, 0.08])
def test_mouth_follows_whatever_the_driver_did_with_it_in_the_neutral_pose(at_rest: float) -> None:
    closed = make_head(mouth=0.005)
    transfer = HeadTransfer(closed, open_mouth(closed, at_rest))
    opened = [jaw.lip_gaps(transfer(open_mouth(closed, gap))).mean() for gap in (0.0, 0.04, 0.08)]
    wanted = [jaw.lip_gaps(open_mouth(closed, gap)).mean() for gap in (0.0, 0.04, 0.08)]
    np.testing.assert_allclose(opened, wanted, atol=0.1)


def test_mouth_is_given_to_a_tilted_face() -> None:
    face, other = moved(make_head(mouth=0.005), roll=25, scale=0.7), make_head(mouth=0.07)
    opened = jaw.with_mouth_of(face, other)
    assert jaw.lip_gaps(opened).mean() == pytest.approx(jaw.lip_gaps(other).mean(), rel=0.15)
    down = (face[8] - face[27])[:2] / np.linalg.norm((face[8] - face[27])[:2])
    assert (opened - face)[8, :2] @ down > 0.015
    np.testing.assert_array_equal(opened[17:48], face[17:48])
    np.testing.assert_allclose(jaw.with_mouth_of(opened, face), face, atol=0.01)


def test_eyes_open_wider_than_at_rest_but_not_without_end() -> None:
    photo, squinting = make_head(lids=0.1), make_head(lids=0.04)
    wider, widest = (lid_gap(HeadTransfer(photo, squinting)(make_head(lids=lids))) for lids in (0.05, 0.2))
    assert lid_gap(photo) < wider < widest < (1 + eyes.WIDER) * lid_gap(photo) + 1e-6


def lids_of(right: float, left: float) -> Points:
    """A face with eyes that are open by this much."""
    face = make_head(lids=right)
    face[42:48] = make_head(lids=left)[42:48]
    return face


def openings(pose: Points) -> tuple[float, float]:
    gaps = eyes.lid_gaps(pose)
    return float(gaps[:2].mean()), float(gaps[2:].mean())


def test_an_eye_that_was_half_shut_at_rest_is_not_wide_open_ever_after() -> None:
    transfer = HeadTransfer(make_head(), lids_of(0.1, 0.075))
    for both in (0.1, 0.06, 0.03):
        right, left = openings(transfer(lids_of(both, both)))
        assert right == pytest.approx(left, rel=0.02)


def test_eyes_blink_together_however_noisy_their_landmarks_are() -> None:
    transfer = HeadTransfer(make_head(), make_head())
    right, left = openings(transfer(lids_of(0.065, 0.05)))
    assert right == pytest.approx(left, rel=0.02)
    assert right < 0.75 * openings(make_head())[0]


def test_a_wink_is_one() -> None:
    for rest in (make_head(), lids_of(0.1, 0.08)):
        right, left = openings(HeadTransfer(make_head(), rest)(lids_of(0.012, 0.1)))
        assert right < 0.25 * left
        assert left > 0.9 * openings(make_head())[0]


def test_both_eyes_look_where_the_mean_of_the_drivers_looks() -> None:
    photo, driver = make_head(), make_head()
    driver[68:73, 0] += 0.02
    driver[73:78, 0] += 0.01
    plain, strong = (
        HeadTransfer(photo, make_head(), exaggeration=Exaggeration(gaze=gain))(driver) for gain in (1.0, 1.2)
    )
    assert plain[68:78, 0] - photo[68:78, 0] == pytest.approx(0.015, abs=0.002)
    assert strong[68:78, 0] - photo[68:78, 0] == pytest.approx(0.018, abs=0.002)


def test_small_looks_are_widened_more_than_wide_ones_but_noise_is_not() -> None:
    photo, gains = make_head(), []
    for far in np.array([0.2, 0.1, 0.05, 0.005]) * np.linalg.norm(photo[39] - photo[36]):
        driver = make_head()
        driver[68:78, 0] += far
        moved = HeadTransfer(photo, make_head(), exaggeration=AS_SEEN)(driver) - photo
        gains.append(moved[68:78, 0].mean() / far)
    wide, small, least, less = gains
    assert 1 < wide < small < least
    assert less == pytest.approx(least)


def test_irises_stay_within_the_eyes() -> None:
    photo, farther = make_head(), []
    for look in (0.05, 0.1, 0.2):
        driver = make_head()
        driver[68:78, 0] += look
        farther.append((HeadTransfer(photo, make_head())(driver) - photo)[68:78, 0].mean())
    assert farther[0] < farther[1] <= farther[2] <= eyes.FARTHEST_LOOK * np.linalg.norm(photo[39] - photo[36])


def test_without_gaze_eyes_stay_where_the_photo_looks_and_still_blink() -> None:
    photo, driver = make_head(), make_head(lids=0.03)
    driver[68:78, 0] += 0.02
    pose = HeadTransfer(photo, make_head(), strength=head.Strength(gaze=0))(driver)
    assert np.allclose(pose[68:78], photo[68:78], atol=1e-3)
    assert lid_gap(pose) < 0.5 * lid_gap(photo)

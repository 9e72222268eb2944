"""Key points of every model are smoothed, blended, stored and transferred part by part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from avatar_app.motion.calibration import NeutralStore, median_pose
from avatar_app.motion.fomm_transfer import nearest_covariance, transfer_relative
from avatar_app.motion.hold import blend
from avatar_app.motion.smoothing import STRENGTHS, KeyPointFilter, smooth_track
from avatar_app.motion.transfer import best_frame, motion_transfer, pose_distance
from avatar_app.types import KeyPoints, combine_key_points, key_points

COUNT = 5


def made(kind: str, seed: int) -> KeyPoints:
    """Key points as a model of this kind detects them."""
    random = np.random.default_rng(seed)
    if kind == "code":
        return key_points({"code": random.normal(0, 20, 12).astype(np.float32)})
    value = random.uniform(-1, 1, (COUNT, 2)).astype(np.float32)
    roots = random.normal(0, 0.1, (COUNT, 2, 2))
    extras = {
        "jacobian": np.eye(2) + roots,
        "variance": roots @ roots.transpose(0, 2, 1) + 0.01 * np.eye(2),
        "depth": random.uniform(-1, 1, COUNT),
    }
    return key_points(
        {"value": value, kind: np.asarray(extras[kind], np.float32)} if kind else {"value": value}
    )


def close(one: KeyPoints, other: KeyPoints, within: float = 1e-4) -> bool:
    return one.parts.keys() == other.parts.keys() and all(
        np.allclose(part, other.parts[name], atol=within) for name, part in one.parts.items()
    )


@pytest.fixture(params=["", "jacobian", "depth", "variance", "code"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_blend_ends_in_both_poses(kind: str) -> None:
    rest, pose = made(kind, 0), made(kind, 1)
    assert close(blend(rest, pose, 0), rest)
    assert close(blend(rest, pose, 1), pose)
    assert not close(blend(rest, pose, 0.5), pose)


def test_smoothing_keeps_what_stands_still_and_every_part(kind: str) -> None:
    pose = made(kind, 0)
    live = KeyPointFilter(STRENGTHS["light"])
    for step in range(3):
        assert close(live.step(pose, step / 30), pose)
    track = smooth_track([pose, None, pose, pose], [0, 1, 2, 3], STRENGTHS["strong"])
    assert track[1] is None
    assert all(close(found, pose) for found in track if found is not None)


def test_a_neutral_pose_is_the_median_and_is_kept(kind: str, tmp_path: Path) -> None:
    poses = [made(kind, 0)] * 5 + [made(kind, 1)]
    neutral = median_pose(poses)
    assert close(neutral, poses[0])
    NeutralStore(tmp_path / "poses.json").put("photo", neutral)
    again = NeutralStore(tmp_path / "poses.json").get("photo")
    assert again is not None
    assert close(again, neutral)


@pytest.mark.parametrize(
    "entry",
    [
        {"value": [[0, 0]], "variance": [[1, 0]]},
        {"value": [[0, 0, 0]]},
        {"code": [1.0]},
        {"value": [], "code": [[1.0]], "jacobian": [1]},
        {"value": [[0, 0]], "unknown": [1]},
        [1],
    ],
)
def test_what_is_no_pose_counts_as_not_there(entry: object, tmp_path: Path) -> None:
    (tmp_path / "poses.json").write_text(json.dumps({"photo": entry}))
    assert NeutralStore(tmp_path / "poses.json").get("photo") is None


def test_the_frame_most_like_the_photo_is_found(kind: str) -> None:
    poses = [made(kind, seed) for seed in range(4)]
    assert best_frame(poses[2], poses) == 2
    assert pose_distance(poses[0], poses[0]) == pytest.approx(0, abs=1e-6)


def test_a_code_is_taken_as_it_is() -> None:
    portrait, neutral, driving = (made("code", seed) for seed in range(3))
    assert motion_transfer(portrait, neutral, relative=True)(driving) is driving


def test_the_drivers_covariances_are_taken_unless_they_shall_adapt() -> None:
    portrait, neutral, driving = (made("variance", seed) for seed in range(3))
    taken = motion_transfer(portrait, neutral)(driving)
    assert taken.variance is not None
    np.testing.assert_array_equal(taken.variance, driving.variance)
    np.testing.assert_allclose(taken.value.mean(0) - portrait.value.mean(0), 0, atol=3)
    adapted = motion_transfer(portrait, neutral, adapt_variance=True)(neutral)
    assert adapted.variance is not None
    assert portrait.variance is not None
    assert np.allclose(adapted.variance, portrait.variance, atol=1e-5)
    moved = transfer_relative(portrait, neutral, driving)
    np.testing.assert_allclose(moved.value, portrait.value + driving.value - neutral.value, atol=1e-6)


def test_adapted_covariances_are_covariances() -> None:
    random = np.random.default_rng(0)
    fixed = nearest_covariance(random.normal(size=(20, 2, 2)).astype(np.float32))
    np.testing.assert_allclose(fixed, fixed.transpose(0, 2, 1), atol=1e-6)
    assert np.linalg.eigvalsh(fixed).min() > 0


def test_parts_that_one_lacks_are_left_out() -> None:
    found = combine_key_points(np.add, made("variance", 0), made("jacobian", 1))
    assert found.parts.keys() == {"value"}

"""Smoothing removes noise, not motion."""

from __future__ import annotations

import numpy as np

from avatar_app.motion.smoothing import STRENGTHS, OneEuro, smooth_track
from avatar_app.types import KeyPoints

LIGHT = STRENGTHS["light"]
TIMES = [index / 30 for index in range(60)]


def still(noise: float) -> list[KeyPoints | None]:
    random = np.random.default_rng(0)
    return [
        KeyPoints(random.normal(0.2, noise, (5, 2)).astype(np.float32), depth=np.zeros(5, np.float32))
        for _ in TIMES
    ]


def values(track: list[KeyPoints | None]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.stack([points.value for points in track if points is not None])


def test_noise_at_rest_becomes_less() -> None:
    before, after = values(still(0.003)), values(smooth_track(still(0.003), TIMES, LIGHT))
    assert np.abs(np.diff(after, 2, axis=0)).mean() < 0.7 * np.abs(np.diff(before, 2, axis=0)).mean()


def test_fast_motion_passes_without_lag() -> None:
    path = np.sin(np.array(TIMES) * 2 * np.pi) * 0.3
    track: list[KeyPoints | None] = [KeyPoints(np.full((5, 2), x, np.float32)) for x in path]
    after = values(smooth_track(track, TIMES, LIGHT))[:, 0, 0]
    assert np.abs(after - path)[3:-3].max() < 0.01


def test_gaps_are_kept_and_not_smoothed_over() -> None:
    track = still(0.003)
    track[20:25] = [None] * 5
    for index in range(25, 60):
        points = track[index]
        assert points is not None
        track[index] = KeyPoints(points.value + 1, depth=points.depth)
    after = smooth_track(track, TIMES, LIGHT)
    assert [points is None for points in after] == [points is None for points in track]
    assert np.abs(values(after)[:20] - 0.2).max() < 0.02
    assert np.abs(values(after)[20:] - 1.2).max() < 0.02


def test_off_changes_nothing() -> None:
    track = still(0.1)
    assert smooth_track(track, TIMES, STRENGTHS["off"]) == track


def test_jacobians_and_depth_keep_their_places() -> None:
    points = KeyPoints(
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.arange(12, dtype=np.float32).reshape(3, 2, 2) + 10,
        np.arange(3, dtype=np.float32) + 30,
    )
    (after,) = smooth_track([points], [0.0], LIGHT)
    assert after is not None
    assert after.jacobian is not None
    assert after.depth is not None
    np.testing.assert_allclose(after.value, points.value)
    np.testing.assert_allclose(after.jacobian, points.jacobian)  # type: ignore[arg-type]
    np.testing.assert_allclose(after.depth, points.depth)  # type: ignore[arg-type]


def test_causal_filter_starts_at_the_first_value() -> None:
    assert LIGHT is not None
    one_euro = OneEuro(LIGHT)
    np.testing.assert_array_equal(one_euro.step(np.array([3.0]), 5.0), [3.0])
    assert 3.0 < one_euro.step(np.array([4.0]), 5.1)[0] <= 4.0

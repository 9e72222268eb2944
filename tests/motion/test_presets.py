"""Ready expressions: their effect on landmarks, and how they fade in and out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar_app.landmarks import BROWS, EYE_CORNERS, LEFT_IRIS, RIGHT_IRIS
from avatar_app.motion.eyes import lid_gaps
from avatar_app.motion.head import Points, angles, close_lips, facing, rotation_of
from avatar_app.motion.mouth import lip_gaps, with_mouth_of
from avatar_app.motion.presets import FALL, PRESETS, RISE, SMILE, STAY, Presets, with_presets
from avatar_app.motion.smile import smile_of, with_less_smile
from avatar_app.motion.transfer import as_key_points, in_space
from avatar_app.types import Array, KeyPoints
from tests.support.heads import make_head

CODE = np.linspace(-0.5, 0.5, 24).astype(np.float32)
TURNS = [(0.0, 0.0, 0.0), (25.0, 0.0, 0.0), (-20.0, 10.0, 15.0)]


def pose_of(face: Points) -> KeyPoints:
    return replace(as_key_points(face), expression=CODE)


def turned(face: Points, degrees: tuple[float, float, float]) -> Points:
    middle = face.mean(0)
    return np.asarray((face - middle) @ rotation_of(*degrees).T + middle)


HEAD = np.asarray(make_head(), np.float64)
REST = pose_of(HEAD)


def expressed(name: str, weight: float = 1.0, face: Points = HEAD) -> Points:
    return in_space(with_presets(pose_of(face), REST, {name: weight}))


@pytest.mark.parametrize("degrees", TURNS)
@pytest.mark.parametrize("name", PRESETS)
def test_each_shows_on_a_turned_head_too_and_moves_no_head(
    name: str, degrees: tuple[float, float, float]
) -> None:
    face = turned(HEAD, degrees)
    after = expressed(name, face=face)
    assert angles(facing(after)) == pytest.approx(angles(facing(face)), abs=1.5)
    straight = [(points - face.mean(0)) @ rotation_of(*degrees) for points in (after, face)]
    change = straight[0] - straight[1]
    if name != "look":  # which depends on the turn
        np.testing.assert_allclose(change, expressed(name) - HEAD, atol=0.02)
    elif any(degrees[:2]):
        assert np.abs(change[[*range(68, 78)]]).max() > 0.005


def test_smile_smiles_once_however_the_driver_smiles() -> None:
    serious = with_less_smile(HEAD, facing(HEAD), 0.6)
    before = smile_of(serious, facing(serious))
    once = expressed("smile", face=serious)
    assert smile_of(once, facing(once)) > before + 0.4
    twice = expressed("smile", face=once)
    assert smile_of(twice, facing(twice)) <= SMILE + 0.02  # the stronger it already is, the less is added
    assert (lid_gaps(once) < lid_gaps(HEAD)).all()


def test_wink_shuts_the_right_eye_alone() -> None:
    gaps = lid_gaps(expressed("wink"))
    assert gaps[:2].max() < 0.02
    np.testing.assert_allclose(gaps[2:], lid_gaps(HEAD)[2:], atol=0.01)


def test_surprise_opens_mouth_and_eyes_and_lifts_brows() -> None:
    after = expressed("surprise")
    assert lip_gaps(after).mean() > lip_gaps(HEAD).mean() + 0.1
    assert (lid_gaps(after) > lid_gaps(HEAD) * 1.15).all()
    assert (after[BROWS, 1] < HEAD[BROWS, 1]).all()


@pytest.mark.parametrize("yaw", [-20.0, 20.0])
def test_look_turns_the_eyes_back_to_the_camera(yaw: float) -> None:
    face = turned(HEAD, (yaw, 0.0, 0.0))
    aside = face.copy()
    aside[[*range(68, 78)]] += 0.03  # the driver looks elsewhere
    after = expressed("look", face=aside)
    for corners, iris in zip(EYE_CORNERS, (RIGHT_IRIS, LEFT_IRIS), strict=True):
        faces = facing(after)
        width = np.linalg.norm(np.subtract(*after[corners]))
        place, rest = (
            (points[iris].mean(0) - points[corners].mean(0)) @ axes / width
            for points, axes in ((after, faces), (HEAD, facing(HEAD)))
        )
        assert np.sign(place[0] - rest[0]) == -np.sign(yaw)
        assert abs(place[0] - rest[0]) < 0.2
        assert abs(place[1] - rest[1]) < 0.05


def test_expression_numbers_follow_in_part() -> None:
    half, whole = (with_presets(REST, REST, {"wink": weight}).expression for weight in (0.5, 1.0))
    assert half is not None
    assert whole is not None
    np.testing.assert_array_equal(whole[:12], CODE[:12])
    np.testing.assert_array_equal(whole[18:], CODE[18:])
    np.testing.assert_allclose(half[12:18], (whole[12:18] + CODE[12:18]) / 2, atol=1e-6)


def test_open_mouth_keeps_what_is_between_its_lips() -> None:
    def mouth(face: Points) -> Array:
        code = with_presets(pose_of(face), REST, {"surprise": 1.0}).expression
        assert code is not None
        return np.asarray(code[:12] - CODE[:12])

    closed = close_lips(HEAD, 1.0)
    opened = with_mouth_of(closed, expressed("surprise", face=closed))
    assert np.abs(mouth(closed)).max() > 0.3
    np.testing.assert_allclose(mouth(opened), 0, atol=1e-6)


def test_key_points_that_are_no_landmarks_stay_as_they_are() -> None:
    points = KeyPoints(np.zeros((10, 2), np.float32))
    assert with_presets(points, points, {"smile": 1.0}) is points


def shown(presets: Presets, held: str, now: float) -> float:
    """The strength of the wink."""
    after = in_space(presets.follow(REST, held, now))
    return float(1 - lid_gaps(after)[0] / lid_gaps(HEAD)[0])


def test_played_one_comes_stays_and_goes_without_jumps() -> None:
    presets = Presets(REST)
    assert shown(presets, "", 0.0) == pytest.approx(0, abs=1e-6)
    presets.play("wink", 1.0)
    times = np.arange(1.0, 1.0 + RISE + STAY + FALL + 0.2, 0.02)
    track = [shown(presets, "", float(now)) for now in times]
    assert max(track) > 0.9
    assert track[-1] == pytest.approx(0, abs=1e-6)
    assert np.abs(np.diff(track)).max() < 0.2
    assert 0.8 * STAY < (np.array(track) > 0.9).sum() * 0.02 < 1.5 * STAY + RISE


def test_held_one_stays_until_it_is_let_go() -> None:
    presets = Presets(REST)
    track = [shown(presets, "wink", now) for now in np.arange(0.0, 20.0, 0.5)]
    assert min(track[2:]) > 0.9
    assert 0 < shown(presets, "", 19.5 + FALL / 2) < 0.9
    assert shown(presets, "", 19.6 + FALL) == pytest.approx(0, abs=1e-6)

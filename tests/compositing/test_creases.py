"""A smile folds the cheeks, and that is seen as light."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from avatar_app.compositing import creases
from avatar_app.compositing.creases import (
    NONE,
    Creases,
    creases_of,
    mean_creases,
    show_creases,
    smile_of,
    smiles_more,
    thin_plate,
)
from avatar_app.landmarks import LIPS, MEAN_FACE
from avatar_app.motion.head import RigidMotion, rotation_of
from avatar_app.motion.smile import MOVES
from avatar_app.networks.anchored import creases as twin

SIDE = 256
SKIN = (180, 120, 100)

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


def smiling(by: float) -> Floats:
    """The mean face, smaller, with so much of a smile put on."""
    points = 0.6 * mean_creases()[1]
    points[LIPS] += by * np.linalg.norm(points[27] - points[33]) * MOVES[:, :2]
    return points.astype(np.float32)


STILL, SMILE = smiling(0.0), smiling(0.8)


def places() -> Floats:
    line = np.arange(SIDE, dtype=np.float32)
    return np.stack(np.meshgrid(line, line))


def skin() -> Bytes:
    return np.full((SIDE, SIDE, 3), SKIN, np.uint8)


def lit(pose: Floats, still: Floats = STILL) -> Bytes:
    picture = skin()
    show_creases(picture, creases_of(still, SIDE), places(), pose)
    return picture


def brightness(picture: Bytes, at: Floats) -> float:
    column, row = ((at + 1) * ((SIDE - 1) / 2)).round().astype(int)
    return float(picture[row - 2 : row + 3, column - 2 : column + 3].mean())


def beside_the_mouth(points: Floats) -> list[Floats]:
    """Between the wings of the nose and the corners of the mouth, a little outside: where the folds are."""
    middles = [(points[wing] + points[corner]) / 2 for wing, corner in ((31, 48), (35, 54))]
    return [middle + 0.25 * (middle - points[33]) for middle in middles]


def test_a_smile_is_read_in_the_picture() -> None:
    for by in (-0.4, 0.3, 0.8):
        assert smile_of(smiling(by)) - smile_of(STILL) == pytest.approx(by, rel=0.3)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(20, 0, 0), (0, 12, 0), (0, -12, 0), (0, 0, 25)])
def test_turns_of_the_head_are_no_smiles(yaw: float, pitch: float, roll: float) -> None:
    face = np.zeros((88, 3))
    face[list(MEAN_FACE)] = list(MEAN_FACE.values())
    face[list(creases.MARKS[:4])] = (
        (-0.5, 1.13, -0.16),
        (0.5, 1.13, -0.16),
        (0.0, 1.02, -0.55),
        (0.0, 1.37, -0.46),
    )
    moved = RigidMotion(0.7, rotation_of(yaw, pitch, roll), np.zeros(3), np.array([0.2, -0.1, 0])).apply(face)
    seen, ahead = (points[:, :2].astype(np.float32) for points in (moved, face))
    assert abs(smiles_more(creases_of(ahead, SIDE), seen)) < 0.03


def test_at_rest_nothing_changes() -> None:
    assert np.array_equal(lit(STILL), skin())


def test_a_smile_deepens_the_folds_and_leaves_the_rest() -> None:
    picture = lit(SMILE)
    for fold in beside_the_mouth(STILL):
        assert brightness(picture, fold) < 0.93 * np.mean(SKIN)
    for index in (19, 24, 30, 62):  # brows, tip of the nose, lips
        assert brightness(picture, STILL[index]) == pytest.approx(np.mean(SKIN), abs=3)
    assert np.array_equal(picture[:5], skin()[:5])


def test_folds_of_a_smiling_photo_fade() -> None:
    picture = lit(STILL, SMILE)
    for fold in beside_the_mouth(SMILE):
        assert brightness(picture, fold) > 1.02 * np.mean(SKIN)


def test_folds_go_where_the_photo_goes() -> None:
    picture, shift = skin(), 20
    moved = places()
    moved[0] -= shift
    show_creases(
        picture, creases_of(STILL, SIDE), moved, SMILE + np.array([shift * 2 / (SIDE - 1), 0], np.float32)
    )
    assert np.abs(picture[:, shift:].astype(int) - lit(SMILE)[:, :-shift]).max() <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e9])
def test_landmarks_that_are_no_face_change_nothing(bad: float) -> None:
    assert np.array_equal(lit(np.full_like(STILL, bad)), skin())


def test_a_photo_with_shut_eyes_gets_a_map() -> None:
    points = STILL.copy()
    points[36:48] = points[36]
    assert np.isfinite(creases_of(points, SIDE).layer).all()


def test_the_map_is_that_of_a_face() -> None:
    light, points = mean_creases()
    assert light.dtype == np.uint8
    assert np.array_equal(light, light[:, ::-1])
    assert (light[: len(light) // 4] == NONE).all()
    assert abs(points).max() < 1


def test_a_thin_plate_goes_where_it_is_pulled() -> None:
    origin = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    goal = origin @ np.array([[0.8, 0.2], [-0.1, 1.1]]) + np.array([0.3, -0.2])
    np.testing.assert_allclose(thin_plate(origin, goal, origin), goal, atol=1e-2)
    np.testing.assert_allclose(thin_plate(origin, goal, np.zeros((1, 2))), [[0.3, -0.2]], atol=1e-2)


def test_pytorch_lights_alike() -> None:
    random = np.random.default_rng(2)
    photo = random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    laid = creases_of(STILL, SIDE)
    for pose in (SMILE, smiling(-0.3)):
        picture = photo.copy()
        show_creases(picture, laid, places(), pose)
        layer, image = (
            torch.from_numpy(laid.layer)[None, None] / 255,
            torch.from_numpy(photo).permute(2, 0, 1)[None] / 255,
        )
        at = torch.from_numpy(places() * (2 / (SIDE - 1)) - 1)[None]
        found = twin.show_creases(
            image, layer, at, torch.from_numpy(STILL)[None], torch.from_numpy(pose)[None]
        )
        assert np.abs(found[0].permute(1, 2, 0).numpy() * 255 - picture).max() <= 1.01


def test_pytorch_leaves_photos_alone_over_which_no_map_was_laid() -> None:
    image = torch.rand(1, 3, SIDE, SIDE)
    at = torch.from_numpy(places() * (2 / (SIDE - 1)) - 1)[None]
    still, pose = (torch.from_numpy(points)[None] for points in (STILL, SMILE))
    torch.testing.assert_close(twin.show_creases(image, twin.no_creases(image), at, still, pose), image)


def test_smiles_beyond_those_that_were_measured_change_no_more() -> None:
    laid = creases_of(STILL, SIDE)
    assert smiles_more(laid, smiling(2.0)) == creases.MOST
    assert smiles_more(laid, smiling(-2.0)) == creases.LEAST
    assert isinstance(creases_of(STILL, SIDE), Creases)

"""A photo's teeth stay with its skull, whatever its lips do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from avatar_app.mouth import opening, show_teeth, shows_teeth, skull_map
from avatar_app.networks import teeth
from tests.heads import make_head

SIDE = 256
SKIN, TOOTH = (180, 120, 100), (250, 240, 230)

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


def landmarks(mouth: float) -> Floats:
    return make_head(mouth=mouth)[:, :2].astype(np.float32)


def wide_open() -> Floats:
    return landmarks(0.3)


def smiling() -> Floats:
    return landmarks(0.08)


def places() -> tuple[Floats, Floats]:
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


def mouth_of(points: Floats) -> npt.NDArray[np.bool_]:
    """(SIDE, SIDE) well inside the lips."""
    x, y = places()
    mouth = opening(points)
    u, v = mouth.place(x, y)
    return np.asarray((abs(u) < 0.6) & (v > mouth.upper.below(u) + 0.02) & (v < mouth.lower.below(u) - 0.02))


def photo_with_teeth() -> Bytes:
    picture = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    mouth = opening(smiling())
    x, y = places()
    u, v = mouth.place(x, y)
    between = (abs(u) < 1) & (v > mouth.upper.below(u)) & (v < mouth.lower.below(u))
    picture[between] = TOOTH
    return picture


def shown(photo: Bytes, still: Floats, pose: Floats, before: Bytes | None = None) -> Bytes:
    picture = (photo if before is None else before).copy()
    show_teeth(picture, photo, still, pose)
    return picture


def is_tooth(picture: Bytes) -> npt.NDArray[np.bool_]:
    return np.asarray(picture.astype(int).min(2) > 125)


def test_at_rest_nothing_changes() -> None:
    photo = photo_with_teeth()
    assert np.abs(shown(photo, smiling(), smiling()).astype(int) - photo).max() <= 2


def test_teeth_stay_and_it_is_dark_below_them() -> None:
    photo = photo_with_teeth()
    skin = np.full_like(photo, SKIN)
    picture = shown(photo, smiling(), wide_open(), skin)
    inside, x, y = mouth_of(wide_open()), *places()
    was_teeth = mouth_of(smiling()) & inside
    assert is_tooth(picture)[was_teeth & (abs(x) < 0.04)].mean() > 0.9
    lower = inside & (y > 0.27 + 0.1)
    assert lower.sum() > 30
    assert picture[lower].max() < 110
    assert (picture == skin)[~mouth_of(landmarks(0.36))].mean() > 0.99


def test_closing_lips_cover_teeth() -> None:
    photo = photo_with_teeth()
    picture = shown(photo, smiling(), landmarks(0.001), np.full_like(photo, SKIN))
    assert not is_tooth(picture).any()


def test_teeth_move_with_the_head() -> None:
    photo, turn = photo_with_teeth(), np.array([[0.95, -0.2], [0.2, 0.95]], np.float32)
    pose = (smiling() @ turn.T * 0.9 + (0.1, -0.2)).astype(np.float32)
    there = skull_map(smiling(), pose)
    assert np.allclose(pose @ there[:, :2].T + there[:, 2], smiling(), atol=1e-3)
    picture = shown(photo, smiling(), pose, np.full_like(photo, SKIN))
    assert is_tooth(picture)[mouth_of(pose)].all()


def test_lips_that_hide_teeth_are_left_to_the_network() -> None:
    photo = photo_with_teeth()
    assert shows_teeth(landmarks(0.003)) == 0
    assert (shown(photo, landmarks(0.003), wide_open()) == photo).all()


@pytest.mark.parametrize("away", [0.0, 0.9, 5.0, np.nan])
def test_mouths_beyond_the_picture_or_nowhere_do_no_harm(away: float) -> None:
    photo = photo_with_teeth()
    picture = shown(photo, smiling(), wide_open() + np.float32(away))
    assert picture.shape == photo.shape


def test_a_batch_on_any_device_gives_the_same_pictures() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    photo = np.asarray(np.kron(photo[::8, ::8], np.ones((8, 8, 1))), np.uint8)  # coarse, so that rounded places matter little
    turn = np.array([[0.95, -0.2], [0.2, 0.95]], np.float32)
    poses = [wide_open(), landmarks(0.12), landmarks(0.0), wide_open() @ turn.T + np.float32(0.1), smiling() * 1.2]
    before = np.full_like(photo, SKIN)

    def batch(arrays: list[npt.NDArray[np.float32]]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays).astype(np.float32))

    def pictures(picture: Bytes) -> torch.Tensor:
        return torch.from_numpy(picture).permute(2, 0, 1)[None].expand(len(poses), -1, -1, -1) / 255

    found = teeth.show_teeth(pictures(before), pictures(photo), batch([smiling()] * len(poses)), batch(poses))
    for index, pose in enumerate(poses):
        expected = shown(photo, smiling(), pose, before).astype(int)
        difference = np.abs((found[index].permute(1, 2, 0).numpy() * 255).round() - expected)
        assert difference.mean() < 0.1
        assert np.percentile(difference[mouth_of(pose)], 90) <= 8 if mouth_of(pose).any() else True

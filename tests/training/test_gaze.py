"""Irises of training pairs are moved as if the person looked elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from avatar_app.landmarks import RIGHT_EYE_INNER, RIGHT_EYE_OUTER, RIGHT_IRIS, RIGHT_PUPIL
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.regions import EYE, frames, region_points, sketch_of
from avatar_app.training.expression import gaze
from avatar_app.training.expression.crops import Batch
from avatar_app.training.expression.gaze import looking, with_look, with_other_looks
from tests.support.heads import make_head

SHAPE = EYE.height, EYE.width
SKIN, WHITE, DARK = 0.5, 1.0, 0.0


def eye(count: int = 1) -> tuple[Tensor, Tensor]:
    """Grey skin, a white eye and a black iris (B, 3, h, w).

    And the landmarks (B, 88, 2) in the crop.
    """
    head = torch.from_numpy(make_head()[None, :, :2].astype(np.float32))
    points = region_points(head, frames(EYE, head))
    opening = sketch_of(EYE, *SHAPE[::-1]).opening(points)[0, 0]
    iris = points[0, RIGHT_IRIS]
    radius = (iris[1:] - iris[0]).norm(dim=1).mean()
    inside = (coordinate_grid(*SHAPE) - iris[0]).norm(dim=2) < radius
    picture = torch.where(inside, DARK, WHITE) * opening + SKIN * (1 - opening)
    return picture.expand(count, 3, *SHAPE), points.expand(count, -1, -1)


def place_of_iris(picture: Tensor) -> Tensor:
    """Return the mean position of what is darker than skin."""
    dark = (SKIN - picture[0, 0]).clamp_min(0)
    return (coordinate_grid(*SHAPE) * dark[..., None]).sum((0, 1)) / dark.sum()


def eye_width(points: Tensor) -> float:
    return float((points[0, RIGHT_EYE_OUTER] - points[0, RIGHT_EYE_INNER]).norm())


@pytest.mark.parametrize("look", [(0.1, 0.0), (-0.1, 0.0), (0.04, 0.02)])
def test_an_iris_moves_as_far_as_it_should_and_skin_stays(look: tuple[float, float]) -> None:
    picture, points = eye()
    seen = looking(picture, points, torch.tensor([look]))
    moved = (place_of_iris(seen) - place_of_iris(picture)) / eye_width(points)
    assert moved == pytest.approx(torch.tensor(look), abs=0.015)
    skin = sketch_of(EYE, *SHAPE[::-1]).opening(points) < 0.01
    assert torch.allclose(seen * skin, picture * skin, atol=0.02)


def test_a_look_of_nothing_changes_nothing() -> None:
    picture, points = eye()
    assert torch.allclose(looking(picture, points, torch.zeros(1, 2)), picture, atol=1e-4)
    assert torch.equal(with_look(points, torch.zeros(1, 2)), points)


@pytest.mark.parametrize("whose", ["photo", "truth"])
def test_landmarks_say_where_the_iris_of_every_picture_is(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(gaze, "PHOTOS", float(whose == "photo"))
    monkeypatch.setattr(gaze, "TRUTHS", float(whose == "truth"))
    picture, points = eye(6)
    batch = Batch(picture, points, picture, points, picture, points)
    other = with_other_looks(batch)
    untouched = ("truth", "points", "seen_points") if whose == "photo" else ("photo", "photo_points")
    assert all(torch.allclose(getattr(other, name), getattr(batch, name)) for name in untouched)
    shown, where = (other.photo, other.photo_points) if whose == "photo" else (other.truth, other.seen_points)
    pupils = where[:, RIGHT_PUPIL]
    for row in range(6):
        away = place_of_iris(shown[row : row + 1]) - pupils[row]
        assert float(away.norm()) < 0.12 * eye_width(points)
    assert (pupils - points[:, RIGHT_PUPIL]).norm(dim=1).max() > 0.05 * eye_width(points)
    carried = place_of_iris(other.moved[:1]) - place_of_iris(picture[:1])
    whole = pupils[0] - points[0, RIGHT_PUPIL]
    assert 0 < float(carried @ whole) < float(whole @ whole), "the flow carries a part of a look"

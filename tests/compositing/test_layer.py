"""The warped person alone: warping only the person's area loses nothing of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_app.compositing.compositor import FaceCrops, PhotoLayers, move_person
from avatar_app.compositing.layer import SHOULDERS, compose_layer, damp_shoulders
from avatar_app.landmarks import CHIN
from avatar_app.types import Area, Layer
from tests.support.scenes import Drawn, draw

SIDE = 256
SHOTS = {"square": draw(), "wide": draw((900, 480), x=500), "tall": draw((420, 900), x=210)}
AREAS = (Area(-16, -40, 272, 216), Area(0, 0, 256, 256), Area(30, 60, 200, 300))

Floats = npt.NDArray[np.float32]


def grid() -> Floats:
    return np.stack(np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32)))


def wavy(strength: float) -> Floats:
    """A sampling grid that is stretched and compressed by up to two."""
    columns, rows = grid()
    return np.stack(
        [columns + strength * np.sin(rows / 17) + 9, rows + strength * np.cos(columns / 23)]
    ).astype(np.float32)


def made(drawn: Drawn, places: Floats, area: Area, whole: bool, face: FaceCrops | None = None) -> Layer:
    layers = drawn.photo_layers(SIDE)
    painted = np.full((SIDE // 2, SIDE // 2, 3), (10, 200, 30), np.uint8)
    alpha = np.full((SIDE // 2, SIDE // 2), 255, np.uint8)
    alpha[50:80, 50:80] = 90
    pose = drawn.crop(SIDE).landmarks
    assert pose is not None
    layers = replace(layers, tiles=None) if whole else layers
    return compose_layer(layers, painted, alpha, places.copy(), pose[:, :2], area, face)


def pasted() -> FaceCrops:
    crop = np.full((40, 48, 4), (200, 20, 20, 255), np.uint8)
    frame = np.array([[0.2, 0.02, 0.1], [-0.02, 0.15, 0.0]], np.float32)
    return FaceCrops((crop,), frame[None])


@pytest.mark.parametrize("shot", SHOTS)
@pytest.mark.parametrize("strength", [0.0, 4.0, 14.0])
def test_what_is_left_out_is_nobodys(shot: str, strength: float) -> None:
    for area in AREAS:
        few = made(SHOTS[shot], wavy(strength), area, whole=False, face=pasted())
        all_of_it = made(SHOTS[shot], wavy(strength), area, whole=True, face=pasted())
        assert few.alpha is not None
        assert all_of_it.alpha is not None
        assert (few.alpha == all_of_it.alpha).all()
        # Enlarging the colours reads this far beyond the outline.
        near = cv2.dilate(few.alpha, np.ones((7, 7), np.uint8)) > 0
        assert (few.image[near] == all_of_it.image[near]).all()


def test_nothing_is_moved_where_nobody_is() -> None:
    few = made(SHOTS["square"], grid(), Area(0, 0, SIDE, SIDE), whole=False)
    assert few.alpha is not None
    assert not few.image[:8, :8].any()


@pytest.mark.parametrize("area", AREAS)
def test_a_part_is_that_part_of_the_whole(area: Area) -> None:
    """Painted mouths have the same position in it as in the square."""
    drawn = SHOTS["wide"]
    layer = made(drawn, grid(), area, whole=False, face=pasted())
    painted = np.full((SIDE // 2, SIDE // 2, 3), (10, 200, 30), np.uint8)
    alpha = np.full((SIDE // 2, SIDE // 2), 255, np.uint8)
    alpha[50:80, 50:80] = 90
    layers: PhotoLayers = drawn.photo_layers(SIDE)
    picture, share = move_person(layers, painted, alpha, grid(), pasted())
    inner = area.common(Area(0, 0, SIDE, SIDE))
    of = inner.moved(-area.left, -area.top).slices
    assert layer.alpha is not None
    assert (layer.alpha[of] == share[inner.slices]).all()
    here = share[inner.slices] > 0
    difference = np.abs(layer.image[of].astype(int) - picture[inner.slices])[here]
    assert difference.max() <= 2  # a crop with another origin is placed a fraction of a pixel off


def test_shoulders_at_the_sides_stand_still_below_the_chin_alone() -> None:
    drawn = SHOTS["square"]
    pose = drawn.crop(SIDE).landmarks
    assert pose is not None
    chin = float((pose[CHIN, 1] + 1) * (SIDE - 1) / 2)
    places = grid() + np.float32(6)
    damp_shoulders(places, chin)
    moved = places - grid()
    assert np.abs(moved[:, -1, (0, -1)]).max() < 0.01
    assert (moved[:, : int(chin - 0.05 * SIDE)] == 6).all()
    middle = slice(SIDE // SHOULDERS, -(SIDE // SHOULDERS))
    assert (moved[:, :, middle] == 6).all()
    assert (np.diff(moved[0, -1, : SIDE // SHOULDERS]) >= 0).all()

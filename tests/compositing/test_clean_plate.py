"""A photo is separated into the person and the still background behind it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from avatar_app.compositing.clean_plate import Layers, _wall_beside, separate
from avatar_app.compositing.compositor import PhotoLayers, compose
from avatar_app.engines.torch_engine import with_layers
from tests.support.heads import make_head

SIDE = 256
DARK, BRIGHT = 40, 200
FACE = make_head()[:, :2].astype(np.float32)
CHIN = int((FACE[8, 1] + 1) / 2 * SIDE)

Bytes = npt.NDArray[np.uint8]


def share_of_person() -> Bytes:
    """A head with soft edges in the middle."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (SIDE // 2, SIDE // 2), (50, 70), 0, 0, 360, 255, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 3), np.uint8)


def blend(front: npt.ArrayLike, back: npt.ArrayLike, share: Bytes) -> Bytes:
    weight = share[..., None] / 255
    return np.asarray((np.asarray(front) * weight + np.asarray(back) * (1 - weight)).round(), np.uint8)


def plain(level: int) -> Bytes:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def grainy(level: int) -> Bytes:
    noise = np.random.default_rng(1).normal(0, 4, (SIDE, SIDE, 1))
    return np.asarray((plain(level) + noise).clip(0, 255), np.uint8)


def shown(layers: Layers, right: int = 0) -> Bytes:
    """The recomposed layers, with the person moved to the right."""
    return blend(np.roll(layers.colours, right, 1), layers.background, np.roll(layers.person, right, 1))


def test_at_rest_the_photo_is_seen() -> None:
    share = share_of_person()
    photo = blend(plain(DARK), plain(BRIGHT), share)
    again = shown(separate(photo, share, plain(BRIGHT), FACE))
    assert np.abs(again.astype(int) - photo).max() <= 12


def test_a_moved_head_takes_no_rim_of_the_old_background_along() -> None:
    share = share_of_person()
    photo = blend(plain(DARK), plain(BRIGHT), share)
    layers = separate(photo, share, plain(BRIGHT), FACE)
    other = np.full_like(photo, DARK)
    before, after = (
        blend(colours, other, share)[:CHIN].astype(int).max() for colours in (photo, layers.colours)
    )
    assert before > DARK + 30
    assert after < DARK + 12


def test_the_gap_has_the_grain_of_the_wall() -> None:
    share = share_of_person()
    photo = blend(plain(DARK), grainy(BRIGHT), share)
    background = separate(photo, share, plain(BRIGHT), FACE).background
    wall, gap = (
        background[rows, columns].std()
        for rows, columns in ((slice(0, 40), slice(0, 40)), (slice(100, 150), slice(110, 150)))
    )
    assert 0.6 * wall < gap < 1.2 * wall


@pytest.mark.parametrize("side", [64, 65])
def test_what_is_known_keeps_its_colour(side: int) -> None:
    """At an odd size OpenCV's means of ones are not exactly 1."""
    photo = np.random.default_rng(1).integers(0, 255, (side, side, 3)).astype(np.float32)
    wall, away = _wall_beside(photo, np.ones((side, side), np.float32), side=12)  # too small for a median
    half = cv2.resize(photo.astype(np.uint8), ((side + 1) // 2,) * 2, interpolation=cv2.INTER_AREA)
    assert np.array_equal(wall, cv2.resize(half, (side, side)))
    assert not away.any()


def test_the_edges_of_things_are_not_repeated() -> None:
    share = share_of_person()
    wall = plain(BRIGHT)
    wall[:, 60:66] = 120  # a door's frame beside the head
    photo = blend(plain(DARK), wall, share)
    background = separate(photo, share, plain(BRIGHT), FACE).background
    assert np.abs(background[100:150, 90:166].astype(int) - BRIGHT).max() < 12


def test_the_edge_of_a_thing_goes_on_sharp_at_the_outline() -> None:
    share = share_of_person()
    wall = plain(BRIGHT)
    wall[128:] = 120  # a sofa
    photo = blend(plain(DARK), wall, share)
    background = separate(photo, share, wall, FACE).background.astype(int)
    beside = slice(70, 73)  # just behind the outline
    assert np.abs(background[115:122, beside] - BRIGHT).max() < 5
    assert np.abs(background[135:142, beside] - 120).max() < 5


def test_leaves_go_on_behind_the_head() -> None:
    share = share_of_person()
    leaves = cv2.resize(
        np.random.default_rng(3).integers(0, 256, (SIDE // 4, SIDE // 4, 3), dtype=np.uint8), (SIDE, SIDE)
    )
    photo = blend(plain(DARK), leaves, share)
    smooth = cv2.GaussianBlur(leaves, (0, 0), 30)
    background = separate(photo, share, np.asarray(smooth, np.uint8), FACE).background.astype(float)
    wall, gap = (background[90:170, columns].std() for columns in (slice(0, 60), slice(100, 156)))
    assert 0.7 * wall < gap < 1.3 * wall
    assert abs(background[90:170, 100:156].mean() - 127) < 15


def test_strands_beside_the_head_move_with_it() -> None:
    share = share_of_person()
    photo = blend(plain(DARK), plain(BRIGHT), share)
    for place in range(-4, 5, 4):
        cv2.line(photo, (175, 128 + place), (192, 118 + place), (DARK, DARK, DARK), 1, cv2.LINE_AA)
    layers = separate(photo, share, plain(BRIGHT), FACE)
    here = slice(116, 130), slice(184, 190)
    assert layers.person[here].max() > 128
    assert layers.background[here].min() > BRIGHT - 30
    assert shown(layers)[here].min() < 110  # still there at rest


def test_a_line_that_goes_on_behind_the_head_stays_where_it_is() -> None:
    share = share_of_person()
    wall = plain(BRIGHT)
    wall[126:129] = DARK
    photo = blend(plain(DARK), wall, share)
    layers = separate(photo, share, wall, FACE)
    assert layers.person[120:135, 186:200].max() < 30
    assert layers.background[127, 190].max() < DARK + 20


def test_a_photo_that_is_all_person_stays_as_it_is() -> None:
    photo, full = grainy(DARK), np.full((SIDE, SIDE), 255, np.uint8)
    layers = separate(photo, full, plain(0), FACE)
    assert (layers.colours == photo).all()
    assert (layers.person == 255).all()


def test_nobody_has_holes_or_ends_below_the_shoulders() -> None:

    share = share_of_person()
    share[CHIN:, 60:200] = 255
    whole = share.copy()
    share[100:120, 110:130] = 0  # a hole in the head
    share[CHIN + 20 :, 80:120] = 90  # dark clothes before something dark
    share[CHIN + 20 :, 140:143] = 0
    share[CHIN + 30 : CHIN + 33, 20:22] = 255  # a speck beside them causes no stripe
    found = separate(plain(DARK), share, plain(BRIGHT), FACE).person
    assert (found[100:120, 110:130] == 255).all()
    assert (found[CHIN + 10 :, 62:198] == 255).all()
    assert (found[:CHIN][whole[:CHIN] == 0] < 20).all()
    assert (found[CHIN + 40 :, :50] < 20).all()


def test_the_smallest_photos_too() -> None:
    for side in (8, 32, 63):
        small = np.full((side, side), 255, np.uint8)
        small[:, : side // 2] = 0
        assert (
            separate(
                np.zeros((side, side, 3), np.uint8), small, np.zeros((side, side, 3), np.uint8), FACE
            ).person.shape
            == small.shape
        )


@pytest.mark.parametrize("down", [0.48, 0.5, 3.0, -3.0, np.nan])
def test_a_chin_at_the_edge_or_beyond_it(down: float) -> None:
    share, face = share_of_person(), FACE + np.array([0, down], np.float32)
    found = separate(plain(DARK), share, plain(BRIGHT), face).person
    assert (found[:190] >= share[:190]).all()


def test_beyond_the_sides_the_picture_is_mirrored_and_above_it_no_head_stands_upside_down() -> None:
    share = share_of_person()
    photo = blend(plain(DARK), plain(BRIGHT), share)
    made = {
        "person": share[..., None],
        "background": plain(BRIGHT),
    }
    layers = PhotoLayers.of(photo, FACE, {name: layer[None] for name, layer in made.items()})
    row, column = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    keep = np.full((SIDE, SIDE), 255, np.uint8)

    def moved(down: int, right: int) -> Bytes:
        return np.asarray(
            compose(layers, photo, keep, np.stack([column - right, row - down]).astype(np.float32))
        )

    low = moved(150, 0)
    assert low[:150].min() > BRIGHT - 20  # the head is 58 pixels below the photo's top edge
    aside = moved(0, 150)
    assert aside[128, 150 - 128].max() < DARK + 20


def test_the_pytorch_engine_takes_a_photo_apart_in_the_same_way() -> None:
    share = share_of_person()
    photo = blend(plain(DARK), grainy(BRIGHT), share)
    layers = separate(photo, share, plain(BRIGHT), FACE)
    given = {"image": photo, "person": share[..., None], "background": plain(BRIGHT)}
    features = {
        f"features_{name}": torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        for name, picture in given.items()
    }
    found = with_layers(features | {"features_half": torch.zeros(1)}, photo, FACE)
    for name, expected in (
        ("image", layers.colours),
        ("background", layers.background),
        ("person", layers.person[..., None]),
    ):
        picture = (found[f"features_{name}"] * 255).round()[0].permute(1, 2, 0).numpy()
        assert np.array_equal(picture, expected)
    assert "features_half" in found
    assert with_layers({"features_features": torch.zeros(1)}, photo, FACE).keys() == {"features_features"}


def person_at(
    x: float, side: int, colour: tuple[int, int, int], photo: Bytes, person: Bytes
) -> npt.NDArray[np.float32]:
    """Draw a head with shoulders into a photo and its matte; returns the landmarks."""
    points = (make_head() * 0.5 + [x, -0.1, 0]).astype(np.float32)
    center = (round((x + 1) * side / 2), round(0.45 * side))
    for picture, paint in ((photo, colour), (person, (255, 255, 255))):
        cv2.ellipse(picture, center, (side // 8, side // 6), 0, 0, 360, paint, -1)
        cv2.rectangle(
            picture, (center[0] - side // 7, round(0.6 * side)), (center[0] + side // 7, side), paint, -1
        )
    return points


def test_other_people_stay_whole() -> None:
    """Only the animated person is cut out.

    A bystander stays unchanged in the background.
    """
    side = 256
    photo, person = np.full((side, side, 3), 200, np.uint8), np.zeros((side, side, 3), np.uint8)
    own = person_at(-0.4, side, (180, 120, 90), photo, person)
    other = person_at(0.5, side, (90, 60, 50), photo, person)
    filled = np.full_like(photo, 200)
    layers = separate(photo, np.ascontiguousarray(person[..., 0]), filled, own[:, :2], [other])
    middle = round(0.55 * side)
    assert layers.person[:, middle + 8 :].max() <= 2, "nothing of the other one is cut out"
    assert np.abs(layers.background[:, middle + 8 :].astype(int) - photo[:, middle + 8 :]).max() <= 2
    assert layers.person[round(0.45 * side), round(0.3 * side)] > 250
    assert np.abs(layers.background[round(0.45 * side), round(0.3 * side)].astype(int) - 200).max() < 12, (
        "the one who moves leaves the wall"
    )


def test_no_hair_beside_the_head_stays_on_an_even_wall() -> None:
    """A thin, faint strand that no network detects."""
    share = share_of_person()
    photo = blend(plain(DARK), plain(BRIGHT), share)
    for column in (66, 190):
        photo[80:170, column : column + 2] -= 30
    background = separate(photo, share, photo, FACE).background
    for column in (66, 190):
        strip = background[80:CHIN, column - 6 : column + 8].mean((0, 2))
        assert np.ptp(strip) < 2, strip


def test_a_soft_rim_of_the_matte_takes_no_wall_along() -> None:
    share = share_of_person()
    photo = blend(plain(DARK), plain(BRIGHT), share)
    wider = cv2.dilate(share, np.ones((21, 21), np.uint8))
    rim = (share < 3) & (wider > 150)
    unsure = np.where(rim, np.uint8(120), share)
    found = separate(photo, unsure, plain(BRIGHT), FACE).person
    assert rim.any()
    assert found[:CHIN][rim[:CHIN]].max() < 20
    assert (found[:CHIN][share[:CHIN] == 255] == 255).all()


def test_a_thin_thing_apart_from_the_head_stays_in_the_wall() -> None:
    share = share_of_person()
    wall = plain(BRIGHT)
    wall[:, 58:61] = 120
    photo = blend(plain(DARK), wall, share)
    layers = separate(photo, share, plain(BRIGHT), FACE)
    assert (layers.background[80:CHIN, 58:61] == 120).all()
    assert layers.person[80:CHIN, 58:61].max() < 20

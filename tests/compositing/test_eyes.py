"""Eyes look where the driver looks, and close."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from avatar_app.compositing.eyes import Eyes, eyes_of, move_skin, show_eyes
from avatar_app.networks.anchored import eyes as twin
from avatar_app.types import Image
from tests.support.heads import make_head

SIDE = 256
SKIN, WHITE, IRIS, BROW = (190, 130, 110), (235, 232, 228), (60, 35, 25), (50, 90, 160)

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def face(lids: float = 0.1) -> Floats:
    return make_head(lids=lids)[:, :2].astype(np.float32)


def places() -> Floats:
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    return np.stack(np.meshgrid(line, line))


def open_eyes(points: Floats) -> Mask:
    x, y = places()
    inside = np.zeros((SIDE, SIDE), bool)
    for first in (36, 42):
        u = (x - points[first : first + 6, 0].mean()) / 0.1
        bow = (points[first + 1, 1] - points[first, 1]) / (1 - 0.25)
        inside |= abs(y - points[first, 1]) < -bow * (1 - u * u).clip(0)
    return inside


def irises(points: Floats, radius: float = 0.03) -> Mask:
    x, y = places()
    return np.asarray(np.minimum(*[np.hypot(x - points[i, 0], y - points[i, 1]) for i in (68, 73)]) < radius)


def photo_of(points: Floats) -> Image:
    """Plain skin with eyes and brows."""
    picture = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    x, y = places()
    for first in (17, 22):
        line = np.interp(x[0], points[first : first + 5, 0], points[first : first + 5, 1])
        picture[(y > line) & (y < line + 0.02) & (abs(x - points[first + 2, 0]) < 0.1)] = BROW
    picture[open_eyes(points)] = WHITE
    picture[open_eyes(points) & irises(points)] = IRIS
    return picture


def shown(photo: Image, still: Floats, pose: Floats) -> Image:
    """The photo, in which nothing but eyes and brows moves."""
    whole = (places() + 1) * ((SIDE - 1) / 2)
    what = move_skin(whole, np.zeros((SIDE, SIDE), np.uint8), eyes_of(photo, still), pose)
    assert what
    columns, rows = whole.round().astype(int).clip(0, SIDE - 1)
    picture = np.ascontiguousarray(photo[rows, columns])
    show_eyes(picture, photo, what)
    return picture


def looking(points: Floats, right: float, down: float = 0.0) -> Floats:
    pose = points.copy()
    pose[68:78] += right, down
    return pose


def like(picture: Image, colour: tuple[int, int, int], within: int = 60) -> Mask:
    return np.asarray(np.abs(picture.astype(int) - colour).max(2) < within)


def middle(mask: Mask, left_half: bool = True) -> tuple[float, float]:
    x, y = places()
    part = mask & ((x < 0) == left_half)
    assert part.any()
    return float(x[part].mean()), float(y[part].mean())


STILL = face()
PHOTO = photo_of(STILL)


def test_at_rest_nothing_changes() -> None:
    difference = np.abs(shown(PHOTO, STILL, STILL).astype(int) - PHOTO)
    # A lid's edge is a step of colour here; it may be a pixel softer.
    assert np.percentile(difference, 99.5) <= 3
    assert difference.mean() < 0.2


@pytest.mark.parametrize("right", [-0.03, 0.03])
def test_irises_go_where_the_pose_has_them_and_leave_white_behind(right: float) -> None:
    before, after = PHOTO, shown(PHOTO, STILL, looking(STILL, right))
    for left_half in (True, False):
        old, new = (middle(like(picture, IRIS), left_half) for picture in (before, after))
        assert new[0] - old[0] == pytest.approx(right, abs=0.008)
        assert new[1] - old[1] == pytest.approx(0, abs=0.008)
    uncovered = irises(STILL) & ~irises(looking(STILL, right)) & open_eyes(face(0.06))
    assert like(after, WHITE)[uncovered].mean() > 0.8


def test_shut_lids_hide_the_eyeballs_with_the_photos_own_skin() -> None:
    after = shown(PHOTO, STILL, face(0.0))
    below_brow = places()[1] > STILL[17:27, 1].min() + 0.05
    assert not like(after, WHITE)[below_brow].any()
    assert like(after, IRIS).sum() < 0.1 * like(PHOTO, IRIS).sum()
    assert like(after, SKIN, 30)[open_eyes(STILL)].mean() > 0.9


def test_an_iris_that_networks_leave_where_it_was_is_not_seen_through_a_shut_lid() -> None:
    shut = face(0.0)
    x, y = places()
    bump = np.zeros_like(x)
    for index in (68, 73):  # they pull up what lies in the middle of the lid
        bump += 0.05 * np.exp(
            -(((x - STILL[index, 0]) / 0.03) ** 2) - ((y - STILL[index, 1] + 0.02) / 0.02) ** 2
        )
    whole = ((np.stack([x, y + bump]) + 1) * ((SIDE - 1) / 2)).astype(np.float32)
    assert move_skin(whole, np.zeros((SIDE, SIDE), np.uint8), eyes_of(PHOTO, STILL), shut)
    columns, rows = whole.round().astype(int)
    lids = open_eyes(STILL) & (y < STILL[36, 1] - 0.01)
    assert not like(PHOTO[rows, columns], IRIS)[lids].any()
    below_brow = lids & (y > STILL[36, 1] - 0.05)
    assert (np.diff(whole[1], axis=0)[below_brow[1:]] > 0).all()  # what is higher in the photo stays higher


def test_what_networks_have_moved_already_is_only_put_right() -> None:
    raised = STILL.copy()
    raised[17:27, 1] -= 0.04
    raised[36:48] = face(0.05)[36:48]
    columns, rows = (places() + 1) * ((SIDE - 1) / 2)
    halfway = np.stack([columns, rows + 0.02 * (SIDE - 1) / 2])
    whole = halfway.copy()
    assert move_skin(whole, np.zeros((SIDE, SIDE), np.uint8), eyes_of(PHOTO, STILL), raised)
    for point in (19, 20, 23, 24):
        column, row = ((raised[point] + 1) * ((SIDE - 1) / 2)).round().astype(int)
        assert whole[1, row, column] - row == pytest.approx(0.04 * (SIDE - 1) / 2, abs=0.5)
    outside = np.hypot(*places()) > 0.6
    assert np.array_equal(whole[:, outside], halfway[:, outside])


def test_one_eye_winks() -> None:
    wink = STILL.copy()
    wink[36:42] = face(0.0)[36:42]
    after = shown(PHOTO, STILL, wink)
    right = places()[0] < 0
    assert like(after, IRIS)[right].sum() < 0.1 * like(PHOTO, IRIS)[right].sum()
    assert np.abs(after.astype(int) - PHOTO)[~right].mean() < 0.2


def test_eyes_that_open_show_what_lids_hid_of_the_iris() -> None:
    narrow = face(0.03)
    photo = photo_of(narrow)
    after = shown(photo, narrow, STILL)
    whole = irises(STILL, 0.026) & open_eyes(face(0.085))
    # This photo's eyeballs lie in no shadow of lids, which the app expects: what was near them comes out lighter.
    assert (photo.max(2) < 170)[whole].mean() < 0.9
    assert (after.max(2) < 170)[whole].mean() > 0.97


def test_brows_are_raised_and_keep_their_height() -> None:
    raised = STILL.copy()
    raised[17:27, 1] -= 0.04
    after = shown(PHOTO, STILL, raised)
    for left_half in (True, False):
        old, new = (middle(like(picture, BROW), left_half) for picture in (PHOTO, after))
        assert new[1] - old[1] == pytest.approx(-0.04, abs=0.01)
    assert like(after, BROW).sum() == pytest.approx(like(PHOTO, BROW).sum(), rel=0.2)


def test_brows_never_come_into_the_eyes() -> None:
    frown = STILL.copy()
    frown[17:27, 1] += 0.15
    assert not like(shown(PHOTO, STILL, frown), BROW)[open_eyes(STILL)].any()


def test_eyes_shut_in_the_photo_tell_nothing_and_stay_as_they_are() -> None:
    shut = face(0.01)
    photo = photo_of(shut)
    taken: Eyes = eyes_of(photo, shut)
    assert not taken.shown.any()
    assert np.abs(shown(photo, shut, looking(shut, 0.03)).astype(int) - photo).mean() < 0.2


@pytest.mark.parametrize("nothing", [np.nan, np.inf, 1e9])
def test_landmarks_of_no_face_change_nothing(nothing: float) -> None:
    whole, share = places(), np.zeros((SIDE, SIDE), np.uint8)
    assert move_skin(whole, share, eyes_of(PHOTO, STILL), np.full_like(STILL, nothing)) is None
    assert np.array_equal(whole, places())
    assert not share.any()


@pytest.mark.parametrize(
    "pose", [STILL + 0.9, STILL * 4, STILL * 0.02, STILL[:, ::-1].copy(), STILL * (-1, 1)]
)
def test_faces_at_the_edge_too_large_too_small_lying_and_mirrored_give_some_picture(pose: Floats) -> None:
    picture = shown(PHOTO, STILL, pose.astype(np.float32))
    assert picture.shape == PHOTO.shape


@pytest.mark.parametrize(
    "pose",
    [
        STILL,
        looking(STILL, 0.03, 0.01),
        face(0.03),
        face(0.0),
        STILL @ np.array([[0.9, 0.3], [-0.2, 1.1]], np.float32) + np.float32(0.05),
    ],
)
def test_pytorch_shows_the_same(pose: Floats) -> None:
    taken = eyes_of(PHOTO, STILL)
    still, points = torch.from_numpy(STILL)[None], torch.from_numpy(pose)[None]
    photo = torch.from_numpy(PHOTO).permute(2, 0, 1)[None].float()
    empty, known = torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, 1, 1, 1)
    at, share, what = twin.move_skin(torch.from_numpy(places())[None], empty, known, still, points)
    expected, alpha = (places() + 1) * ((SIDE - 1) / 2), np.zeros((SIDE, SIDE), np.uint8)
    numpys = move_skin(expected, alpha, taken, pose)
    assert numpys
    assert np.abs((at[0].numpy() + 1) * ((SIDE - 1) / 2) - expected).max() < 0.05
    assert np.abs(share[0, 0].numpy() * 255 - alpha).max() <= 1.01

    white = torch.from_numpy(taken.white).permute(0, 3, 1, 2)[None]
    iris = torch.from_numpy(taken.iris).permute(0, 3, 1, 2)[None]
    found = twin.show_eyes(photo, photo, torch.cat([white, torch.ones_like(white[:, :, :1])], 2), iris, what)
    picture = PHOTO.copy()
    show_eyes(picture, PHOTO, numpys)
    difference = np.abs(found[0].permute(1, 2, 0).numpy() - picture)
    assert difference.mean() < 0.2
    assert np.percentile(difference, 99.8) <= 6


def test_pytorch_leaves_eyes_alone_that_were_not_taken_apart() -> None:
    photo, (white, iris) = torch.rand(1, 3, SIDE, SIDE), twin.no_eyeballs(torch.zeros(1))
    still, pose = torch.from_numpy(STILL)[None], torch.from_numpy(looking(face(0.05), 0.03))[None]
    before = torch.from_numpy(places())[None], torch.zeros(1, 1, SIDE, SIDE)
    at, share, what = twin.move_skin(*before, white[:, 0, 3:, :1, :1], still, pose)
    assert torch.equal(at, before[0])
    assert not share.any()
    assert torch.equal(twin.show_eyes(photo, photo, white, iris, what), photo)

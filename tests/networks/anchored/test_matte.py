"""Person and background are separated: known background stays, the rest is filled in, a pose moves only the
person.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from avatar_app.networks.anchored.body_flow import (
    FARTHEST,
    beyond_face,
    bounded,
    damp_body,
    face_distance,
    opened_mouth,
    whole_hair,
)
from avatar_app.networks.anchored.config import AnchoredConfig
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.anchored.matte import (
    PersonMatte,
    background,
    face_frame,
    guided,
    head_offsets,
    matte,
)
from avatar_app.networks.grid import coordinate_grid
from tests.support.heads import make_head


def points(roll: float = 0.0) -> torch.Tensor:
    cos, sin = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    turned = make_head()[:, :2] @ np.array([[cos, sin], [-sin, cos]])
    return torch.from_numpy(turned.astype(np.float32))[None]


def test_place_in_the_head_frame_turns_with_the_head() -> None:
    upright, turned = face_frame(points(), 65), face_frame(points(90), 65)
    np.testing.assert_allclose(turned.numpy(), torch.rot90(upright, -1, (2, 3)).numpy(), atol=1e-4)
    assert (
        upright[0, 1, 0, 32] > upright[0, 1, 32, 32] > upright[0, 1, 64, 32]
    )  # higher above the chin further up


def test_background_is_the_photo_where_nobody_is_and_smooth_behind_the_person() -> None:
    ramp = torch.linspace(0, 1, 64)[None, None, None].expand(1, 3, 64, 64)
    person = torch.zeros(1, 1, 64, 64)
    person[:, :, 20:, 24:40] = 1
    photo = torch.where(person > 0, torch.ones_like(ramp), ramp)
    behind = background(photo, person)
    far = person[0, 0, :, :16] == 0
    assert torch.equal(behind[0, :, :, :16][:, far], photo[0, :, :, :16][:, far])
    assert (behind - ramp).abs().max() < 0.15


def test_horizon_goes_on_behind_the_person() -> None:
    photo = torch.zeros(1, 3, 128, 128)
    photo[:, :, 50:] = 1
    person = torch.zeros(1, 1, 128, 128)
    person[:, :, 20:, 44:84] = 1
    behind = background(torch.where(person > 0, torch.full_like(photo, 0.3), photo), person)[0, :, :, 64]
    assert behind[:, 30:46].max() < 0.1
    assert behind[:, 54:].min() > 0.9


def test_row_that_a_person_covers_is_filled_from_above() -> None:
    photo = torch.full((1, 3, 128, 128), 0.7)
    person = torch.zeros(1, 1, 128, 128)
    person[:, :, 90:] = 1
    assert (
        background(torch.where(person > 0, torch.zeros_like(photo), photo), person) - 0.7
    ).abs().max() < 0.02


def test_person_all_over_the_picture_leaves_something_finite() -> None:
    assert torch.isfinite(background(torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64))).all()


def test_guided_filter_puts_a_blurred_outline_on_the_photo_s_edge() -> None:
    photo = torch.zeros(1, 3, 128, 128)
    photo[..., 60:] = 1
    share = torch.linspace(-1.5, 2.5, 64)[None, None, None].clamp(0, 1).expand(1, 1, 64, 64)
    sharp = guided(torch.nn.functional.avg_pool2d(photo, 2), share, photo, radius=6, slack=1e-4)
    step = sharp[0, 0, 64, 60] - sharp[0, 0, 64, 59]
    assert step > 0.3


def test_share_is_of_the_photo_s_size() -> None:
    torch.manual_seed(0)
    for side in (128, 256, 192):
        share = matte(PersonMatte().eval(), torch.rand(2, 3, side, side), points().expand(2, -1, -1))
        assert share.shape == (2, 1, side, side)
        assert share.min() >= 0 <= 1 - share.max()


def test_background_stands_still_whatever_the_pose() -> None:
    torch.manual_seed(0)
    config = AnchoredConfig(
        size=64, channels=(4, 8, 8), blocks=1, motion_channels=(8, 8, 8), photo_channels=4, matte=True
    )
    generator = AnchoredGenerator(config).eval()
    photo, still = torch.rand(1, 3, 64, 64), points() * 0.6
    with torch.inference_mode():
        features = generator.encode(photo, still)
        nobody = features._replace(person=torch.zeros_like(features.person), background=photo)
        everybody = features._replace(person=torch.ones_like(features.person))
        assert torch.equal(generator.decode(nobody, still + 0.2).image, photo)
        assert not torch.allclose(generator.decode(everybody, still + 0.2).image, photo, atol=0.05)


def test_shoulders_move_smoothly_and_the_lowest_row_not_at_all() -> None:
    torch.manual_seed(0)
    pose = points() * 0.5 - torch.tensor([0.0, 0.2])
    grid = coordinate_grid(64, 64).permute(2, 0, 1)[None]
    everywhere = torch.ones(1, 1, 64, 64)
    assert torch.allclose(damp_body(grid, everywhere, pose), grid, atol=1e-5)
    restless = grid + 0.1 + 0.05 * torch.randn(1, 2, 64, 64)
    calm = damp_body(restless, everywhere, pose)
    chin = int((pose[0, 8, 1] + 1) / 2 * 63)
    forehead = int((pose[0, 78, 1] + 1) / 2 * 63)
    assert torch.equal(calm[:, :, forehead:chin, 24:40], restless[:, :, forehead:chin, 24:40])
    assert torch.allclose(calm[:, :, -1], grid[:, :, -1], atol=1e-3)
    body = (calm - grid)[:, :, chin + 16 : -4]
    assert body.diff(dim=3).abs().max() < 0.01 < (restless - grid)[:, :, chin + 16 :].diff(dim=3).abs().mean()


def test_nothing_moves_much_farther_than_the_landmarks() -> None:
    still = points() * 0.5
    pose = still + torch.tensor([0.2, 0.0])
    grid = coordinate_grid(64, 64).permute(2, 0, 1)[None]
    far = bounded(grid * 1.5 - torch.tensor([0.2, 0.0]).view(1, 2, 1, 1), pose, still) - grid
    assert far[:, 0].min() == pytest.approx(-0.2 * FARTHEST, abs=1e-4)
    assert far[:, 0].max() == 0, "landmarks move to the right: nothing comes from the right"
    assert far[:, 1].abs().max() < 1e-5
    near = grid - torch.tensor([0.15, 0.0]).view(1, 2, 1, 1)
    assert torch.allclose(bounded(near, pose, still), near, atol=1e-6)


def test_hair_goes_with_the_head_instead_of_being_pulled() -> None:
    pose = points() * 0.5
    grid = coordinate_grid(64, 64).permute(2, 0, 1)[None]
    above = head_offsets(pose, 64)[1]
    # The head has moved by 0.3; over the forehead the motion falls to that of the background, which stays
    # still.
    pulled = grid + torch.tensor([0.0, -0.3]).view(1, 2, 1, 1) * (1 - (above - 1) / 0.3).clamp(0, 1)
    head = (above < 1.15).float()
    calm = damp_body(pulled, head, pose) - grid
    tips = (above > 1.3)[0, 0] & (above < 1.4)[0, 0]
    assert (pulled - grid)[0, 1][tips].abs().max() < 0.01
    assert calm[0, 1][tips].mean() < -0.2


def test_inside_of_a_mouth_that_the_photo_shows_closed_is_painted() -> None:
    places = coordinate_grid(129, 129).permute(2, 0, 1).flatten(1)
    closed, open_ = (
        torch.from_numpy(make_head(mouth=gap)[None, :, :2].astype(np.float32)) for gap in (0.005, 0.12)
    )
    inside = opened_mouth(closed, open_, places).reshape(129, 129)
    middle = open_[0, 60:68].mean(0)
    column, row = ((middle + 1) * 64).round().int().tolist()
    assert inside[row, column] > 0.8
    assert inside[row + 12, column] == 0  # beyond the lower lip
    assert inside[row, column + 12] == 0
    assert opened_mouth(open_, open_, places).max() == 0  # the photo's own teeth are warped
    assert opened_mouth(closed, closed, places).max() < 0.3


def test_nothing_is_painted_beyond_the_face() -> None:
    pose = points(20) * 0.6
    beyond = beyond_face(pose, 129)[0, 0]
    inner = ((pose[0, [30, 36, 45, 48, 54, 62]] + 1) * 64).round().long()
    assert beyond[inner[:, 1], inner[:, 0]].max() == 0
    outer = ((pose[0, [0, 8, 16]] * 1.4 + 1) * 64).round().long()
    assert beyond[outer[:, 1], outer[:, 0]].min() == 1
    turned = beyond_face(pose @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), 129)[0, 0]
    np.testing.assert_allclose(turned.numpy(), torch.rot90(beyond, -1).numpy(), atol=1e-4)


def test_long_hair_beside_the_face_is_not_torn_and_short_hair_is_left_alone() -> None:
    pose = points() * 0.5
    grid = coordinate_grid(64, 64).permute(2, 0, 1)[None]
    distance = face_distance(pose, 64)
    torn = grid + 0.3 * ((distance > 1.3) & (distance < 1.45)).float()
    face, head = (distance < 1.1).float(), (distance < 1.8).float()
    mended = whole_hair(torn, head, pose, pose)
    assert (mended - grid).abs().max() < 0.2
    inside = (distance < 1).expand_as(grid)
    assert torch.equal(mended[inside], torn[inside])
    assert torch.equal(whole_hair(torn, face, pose, pose), torn)


def test_model_without_matte_has_none_of_its_weights() -> None:
    small = {"size": 64, "channels": [4, 8, 8], "motion_channels": [8, 8, 8], "photo_channels": 4}
    plain, knowing = (
        AnchoredGenerator(AnchoredConfig.from_dict(small | extra)) for extra in ({}, {"matte": True})
    )
    assert {name for name in knowing.state_dict() if name not in plain.state_dict()} == {
        f"matte.{name}" for name in PersonMatte().state_dict()
    }

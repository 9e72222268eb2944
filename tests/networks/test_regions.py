"""The frames of mouth and eyes follow the head, and an expression does not move them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from avatar_app.landmarks import MIRRORED
from avatar_app.networks.expression import ExpressionReader
from avatar_app.networks.painters import FacePainter, look_at, moved, paste
from avatar_app.networks.regions import (
    CODES,
    EYE,
    MOUTH,
    Region,
    crop,
    frames,
    region_points,
    sketch_of,
    to_crop,
    to_picture,
)
from avatar_app.types import NO_EXPRESSION
from tests.support.heads import make_head

REGIONS = [(MOUTH, False), (EYE, False), (EYE, True)]


def face(gap: float = 0.0) -> Tensor:
    """A head's landmarks (1, 88, 2); ``gap`` opens the mouth."""
    points = torch.from_numpy(make_head()[None, :, :2] * 0.6).float()
    points[:, [65, 66, 67]] += torch.tensor([0.0, gap])
    return points


def picture(side: int = 64) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def still_flow(side: int = 16) -> Tensor:
    line = torch.linspace(-1, 1, side)
    return torch.stack([line.expand(side, side), line[:, None].expand(side, side)])[None]


def test_codes_of_all_parts_agree() -> None:
    assert NO_EXPRESSION.shape == (CODES,)
    assert sorted(MIRRORED) == list(range(88))
    assert [MIRRORED[MIRRORED[point]] for point in range(88)] == list(range(88))


@pytest.mark.parametrize(("region", "mirrored"), REGIONS)
def test_a_frame_moves_turns_and_grows_with_the_head(region: Region, mirrored: bool) -> None:
    points = face()
    turn = 1.3 * torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    before, after = (frames(region, place, mirrored) for place in (points, points @ turn + 0.1))
    there = region_points(points, before, mirrored)
    assert torch.allclose(there, region_points(points @ turn + 0.1, after, mirrored), atol=1e-4)
    assert torch.allclose(to_picture(to_crop(points, before), before), points, atol=1e-5)


@pytest.mark.parametrize(("region", "mirrored"), REGIONS)
def test_what_opens_lies_in_the_middle(region: Region, mirrored: bool) -> None:
    points = face(0.1)
    there = region_points(points, frames(region, points, mirrored), mirrored)
    inside = there[:, [*region.gap[0], *region.gap[1]]]
    assert inside.abs().max() < 0.8
    drawn = sketch_of(region, region.width // 2, region.height // 2)(there)
    assert drawn.shape == (1, len(region.strokes) + 1, region.height // 2, region.width // 2)
    assert torch.isfinite(drawn).all()
    assert drawn.amax((0, 2, 3)).min() > 0.4


def test_eyes_are_mirror_images_of_each_other() -> None:
    points, image = face(), picture()
    mirrored = points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0])
    left = crop(image, frames(EYE, points, mirrored=True), EYE.width, EYE.height)
    as_right = crop(image.flip(-1), frames(EYE, mirrored), EYE.width, EYE.height)
    assert torch.allclose(left, as_right, atol=1e-4)


def test_a_mouth_opens() -> None:
    shut, wide = (
        sketch_of(MOUTH, 64, 48).opening(region_points(points, frames(MOUTH, points))).sum()
        for points in (face(), face(0.15))
    )
    assert wide > shut + 50


def test_expression_code_does_not_change_with_place_and_size_of_the_picture() -> None:
    reader, points, image = ExpressionReader().eval(), face(), picture()
    larger = torch.nn.functional.interpolate(image, size=(127, 127), mode="bilinear", align_corners=True)
    with torch.no_grad():
        code, again = reader(image, points), reader(larger, points)
    assert code.shape == (1, CODES)
    assert code.abs().max() <= 1
    assert torch.allclose(code, again, atol=0.02)


def test_a_face_that_does_not_move_is_where_it_was() -> None:
    points, image = face(), picture()
    frame = frames(MOUTH, points)
    seen = look_at(image)(moved(MOUTH, still_flow(), frame))
    assert torch.allclose(seen, crop(image, frame, MOUTH.width, MOUTH.height), atol=1e-4)


def test_painting_ends_before_the_border_of_its_crops() -> None:
    torch.manual_seed(0)
    painter, points, image = FacePainter().eval(), face(), torch.zeros(1, 3, 128, 128)
    with torch.no_grad():
        made = painter(
            painter.photo(image, points), look_at(image), still_flow(), points, torch.zeros(1, CODES)
        )
        whole = paste(image, made)
    for crops in (made.mouth, made.eyes):
        alpha = crops[:, 3]
        assert (
            max(float(side.max()) for side in (alpha[:, 0], alpha[:, -1], alpha[..., 0], alpha[..., -1])) == 0
        )
        assert alpha.max() > 0.1
    changed = whole.amax(1)[0] > 0.01
    assert changed.any()
    assert not changed[:, :5].any()

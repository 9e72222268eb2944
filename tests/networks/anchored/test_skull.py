"""The upper head turns as a rounded volume."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from avatar_app.landmarks import MEAN_FACE
from avatar_app.motion.head import rotation_of
from avatar_app.networks.anchored.skull import (
    FARTHEST,
    HEIGHTS,
    MIDDLE,
    OUTLINE,
    RIM,
    WIDTHS,
    Turn,
    skull_size,
    turned_skull,
    view,
)
from avatar_app.networks.grid import coordinate_grid

SIDE = 64
SIZE = 0.25
"""Half sides of the picture per unit of the mean face."""

SKULL = torch.tensor([[1.5, 1.8]])


def head(
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    scale: float = SIZE,
    at: tuple[float, float] = (0.0, 0.2),
) -> Tensor:
    """Landmarks (1, 88, 2) of the mean face, as seen by an orthographic camera."""
    points = torch.zeros(1, 88, 2)
    turned = (
        torch.tensor(list(MEAN_FACE.values())) @ torch.from_numpy(rotation_of(yaw, pitch, roll)).float().t()
    )
    points[0, list(MEAN_FACE)] = scale * turned[:, :2] + torch.tensor(at)
    return points


def grid() -> Tensor:
    return coordinate_grid(SIDE, SIDE).permute(2, 0, 1)[None]


def flow_of(pose: Tensor, still: Tensor) -> Tensor:
    """The motion of the upper head, assumed everywhere, with a flow that changes nothing."""
    everywhere = torch.full((1, 1, SIDE, SIDE), 2.0)
    return turned_skull(grid(), SKULL, pose, still, everywhere, everywhere) - grid()


def test_size_is_that_of_the_half_ellipse_above_the_middle() -> None:
    still = head()
    middle = view(still).middle[0]
    away = (grid()[0] - middle[:, None, None]) / SIZE / torch.tensor([1.6, 1.9])[:, None, None]
    body = ((away.square().sum(0) < 1) & (away[1] < 0)).float()[None, None]
    assert skull_size(body, still)[0].tolist() == pytest.approx([1.6, 1.9], rel=0.08)  # of 64 rows
    assert skull_size(torch.zeros(1, 1, SIDE, SIDE), still)[0].tolist() == pytest.approx(
        [WIDTHS[0], HEIGHTS[0]]
    )


@pytest.mark.parametrize("pose", [head(), head(roll=20), head(scale=0.3, at=(0.1, 0.1)), head(yaw=2)])
def test_heads_that_hardly_turn_are_left_to_the_networks(pose: Tensor) -> None:
    assert flow_of(pose, head()).abs().max() < 1e-3


@pytest.mark.parametrize(("yaw", "pitch"), [(25.0, 0.0), (-25.0, 0.0), (0.0, 20.0), (0.0, -20.0)])
def test_the_middle_slides_and_the_rim_stays(yaw: float, pitch: float) -> None:
    still, pose = head(), head(yaw, pitch)
    turn = Turn.between(view(pose), view(still), SKULL)
    towards = (
        torch.tensor([1.0 if yaw > 0 else -1.0, 0.0])
        if yaw
        else torch.tensor([0.0, -1.0 if pitch > 0 else 1.0])
    )
    half = SKULL[..., None] * SIZE
    angles = torch.linspace(0, 6.28, 40)
    around = torch.stack([angles.cos(), angles.sin()])[None]
    here, there = view(pose).middle[..., None], view(still).middle[..., None]
    rim = turn.shown(here + 1.02 * RIM * half * around)
    # A head is deeper than wide: at the ends of the turn, points slide along a longer outline.
    assert (rim - there - 1.02 * RIM * half * around).norm(dim=1).max() < 0.15 * SIZE
    middle = (turn.shown(here) - there)[0, :, 0]
    slid = (middle * -towards).sum()
    assert slid > 0.8 * RIM * half.min() * torch.sin(torch.tensor(FARTHEST)) * 0.8
    assert (middle + slid * towards).norm() < 1e-3


def test_at_the_landmarks_it_goes_on_as_they_do() -> None:
    still, pose = head(), head(yaw=25)
    flow = flow_of(pose, still)
    outline, wanted = pose[0, list(OUTLINE)], (still - pose)[0, list(OUTLINE)]
    cells = ((outline + 1) * ((SIDE - 1) / 2)).round().long()
    found = flow[0, :, cells[:, 1], cells[:, 0]].t()
    without = Turn.between(view(pose), view(still), SKULL).shown(outline.t()[None])[0].t() - outline
    assert (found - wanted).norm(dim=1).mean() < 0.5 * (without - wanted).norm(dim=1).mean()


@pytest.mark.parametrize("yaw", [35.0, -35.0])
def test_a_large_turn_brings_the_back_of_the_head_to_sight(yaw: float) -> None:
    """Where the upper head ends, above the ear.

    On the side that the face turns away from, and not in small turns.
    """

    def moved(by: float) -> Tensor:
        distance, above = (torch.full((1, 1, SIDE, SIDE), share) for share in (0.95, 0.75))
        flow: Tensor = turned_skull(grid(), SKULL, head(by), head(), distance, above) - grid()
        return flow.square().sum(1).sqrt()[0]

    away, towards = (
        (slice(0, SIDE // 4), slice(3 * SIDE // 4, SIDE))
        if yaw > 0
        else (slice(3 * SIDE // 4, SIDE), slice(0, SIDE // 4))
    )
    assert moved(yaw)[:, away].mean() > 0.05
    assert moved(yaw)[:, towards].max() < 1e-3
    assert moved(0.3 * yaw).max() < 1e-3


def test_the_camera_of_a_photo_is_found() -> None:
    seen = view(head(yaw=20, pitch=10, roll=15, scale=0.3, at=(0.1, -0.2)))
    expected = 0.3 * torch.from_numpy(rotation_of(20, 10, 15)).float()
    assert torch.allclose(seen.rows[0], expected[:2], atol=1e-4)
    assert torch.allclose(
        seen.middle[0], expected[:2] @ torch.tensor(MIDDLE) + torch.tensor([0.1, -0.2]), atol=1e-4
    )
    assert seen.scale().item() == pytest.approx(0.3, rel=1e-3)
    assert torch.allclose(seen.ahead()[0, 0], 0.3 * expected[2], atol=1e-4)


@pytest.mark.parametrize(
    "pose",
    [torch.zeros(1, 88, 2), torch.full((1, 88, 2), 9.0), head() * 1e-4, head() * torch.tensor([1.0, 0.0])],
)
def test_landmarks_of_no_face_give_some_motion(pose: Tensor) -> None:
    assert flow_of(pose, head()).isfinite().all()
    assert flow_of(head(), pose).isfinite().all()

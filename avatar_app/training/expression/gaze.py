"""Pairs with other looks: the irises of photos and drivers are moved.

In most pairs of one person both look the same way, and a difference is hardly larger than the landmarks'
errors; of stills it never is. A painter that has seen no others leaves small looks out.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.landmarks import RIGHT_EYE_INNER, RIGHT_EYE_OUTER, RIGHT_IRIS, RIGHT_PUPIL
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.regions import EYE, sketch_of
from avatar_app.training.expression.crops import Batch

PHOTOS, TRUTHS = 0.9, 0.3
"""Fractions of pairs whose photo or driver looks elsewhere."""

SPREAD = (0.1, 0.03)
"""Standard deviations of a look, across and down, in widths of the eye."""

CARRIED = 0.4
"""Largest part of a pose's look that the flow brings into the moved photo; into sharp photos nearly none."""

AROUND, GIVE = 1.15, 1.6
"""An iris moves as a whole up to this many of its radii; then the white gives way over this many lengths of
the movement.
"""


def with_other_looks(batch: Batch) -> Batch:
    """Move the irises of some photos and drivers, and their landmarks."""
    count = len(batch.photo)
    of_photo, of_truth = (_look(count) * (torch.rand(count, 1) < part) for part in (PHOTOS, TRUTHS))
    carried = CARRIED * torch.rand(count, 1)
    in_moved = torch.lerp(of_photo, of_truth, carried)
    landed = _between(batch.photo_points, batch.points, carried)
    return replace(
        batch,
        photo=looking(batch.photo, batch.photo_points, of_photo),
        photo_points=with_look(batch.photo_points, of_photo),
        moved=looking(batch.moved, landed, in_moved),
        points=with_look(batch.points, of_truth),
        truth=looking(batch.truth, batch.seen_points, of_truth),
        seen_points=with_look(batch.seen_points, of_truth),
    )


def looking(pictures: Tensor, points: Tensor, look: Tensor) -> Tensor:
    """Move the irises in crops (B, 3, h, w) by looks (B, 2); lids stay.

    Looks are in widths of the eye.
    """
    height, width = pictures.shape[-2:]
    iris = points[:, RIGHT_IRIS]
    move = (look * _width(points))[:, None, None]
    radius = (iris[:, 1:] - iris[:, :1]).norm(dim=2).mean(1)[:, None, None]
    grid = coordinate_grid(height, width)[None]
    far = (grid - iris[:, :1, None] - move).norm(dim=3)
    fade = GIVE * move.norm(dim=3) + 2 / width
    share = (1 - (far - AROUND * radius) / fade).clamp(0, 1)
    share = share * sketch_of(EYE, width, height).opening(points)[:, 0]
    return F.grid_sample(pictures, grid - share[..., None] * move, padding_mode="border", align_corners=True)


def with_look(points: Tensor, look: Tensor) -> Tensor:
    """Return landmarks (B, 88, 2) with the iris moved by a look (B, 2).

    In widths of the eye.
    """
    points = points.clone()
    points[:, RIGHT_IRIS] += (look * _width(points))[:, None]
    return points


def _look(count: int) -> Tensor:
    spread = torch.tensor(SPREAD)
    return (spread * torch.randn(count, 2)).clamp(-2 * spread, 2 * spread)


def _width(points: Tensor) -> Tensor:
    """Return the eye's width (B, 1)."""
    width: Tensor = (points[:, RIGHT_EYE_OUTER] - points[:, RIGHT_EYE_INNER]).norm(dim=1, keepdim=True)
    return width


def _between(photo: Tensor, pose: Tensor, carried: Tensor) -> Tensor:
    """Return the pose's landmarks with the iris where the flow brings the photo's."""

    def look(points: Tensor) -> Tensor:
        middle = (points[:, RIGHT_EYE_OUTER] + points[:, RIGHT_EYE_INNER]) / 2
        return (points[:, RIGHT_PUPIL] - middle) / _width(points)

    return with_look(pose, (1 - carried) * (look(photo) - look(pose)))

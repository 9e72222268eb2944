"""The PyTorch form of `avatar_app.compositing.layer`: the moved person alone.

Shapes: B batch, S the picture's side, P landmarks. A window is the square with ``S // 2`` pixels around it; a
layer is the square with ``S // SWAY`` columns beside it and ``S // LIFT`` rows above and below it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app import landmarks
from avatar_app.networks.grid import coordinate_grid

SWAY, LIFT = 16, 3
"""Divisors of the side: the margins of a layer beside the square, and above and below it."""

ABOVE, BELOW = 2, 3
"""Divisors of the side: the distances over which motion fades out above and below the square."""

SHOULDERS, NECK = 4, (-0.05, 0.1)
"""As in `compositing.layer.damp_shoulders`."""

EDGE = 16
"""Divisor of the side: width of the blend from the square's picture to the window's."""


def layer_corner(side: int) -> tuple[int, int]:
    """Return column and row of a layer's first pixel, relative to the square."""
    return -(side // SWAY), -(side // LIFT)


def moved_layer(colours: Tensor, grid: Tensor, window: Tensor, points: Tensor) -> Tensor:
    """Return the layer (B, 4, h, w): colours and alpha.

    Args:
        colours: (B, 3, S, S), the person as moved and painted in the square.
        grid: (B, 2, S, S) in [-1, 1], the sampling grid within the square.
        window: (B, 4, 2 S, 2 S), the photo's person, colours and alpha.
        points: (B, P, 2), of the pose.
    """
    side = grid.shape[-1]
    beside, above = side // SWAY, side // LIFT
    around = (beside, beside, above, above)
    identity = coordinate_grid(side, side, points.device).permute(2, 0, 1)[None].to(grid.dtype)
    left = _motion_left(points, side).to(grid.dtype)
    moves = F.pad((grid - identity) * left, around, mode="replicate") * _faded(side, grid)
    columns = torch.arange(-beside, side + beside, device=grid.device, dtype=grid.dtype)
    rows = torch.arange(-above, side + above, device=grid.device, dtype=grid.dtype)
    x = columns + moves[:, 0] * ((side - 1) / 2) + side // 2
    y = rows[:, None] + moves[:, 1] * ((side - 1) / 2) + side // 2
    size = torch.tensor([window.shape[-1] - 1, window.shape[-2] - 1], device=grid.device, dtype=grid.dtype)
    where = 2 * torch.stack([x, y], -1) / size - 1
    moved = F.grid_sample(window, where, mode="bilinear", padding_mode="border", align_corners=True)
    own = F.pad(_inside(side, grid) * ((left - 0.8) / 0.2).clamp(0, 1), around)
    image = own * F.pad(colours, around) + (1 - own) * moved[:, :3]
    return torch.cat([image, moved[:, 3:]], 1)


def _motion_left(points: Tensor, side: int) -> Tensor:
    """Return the factor (B, 1, S, S) by which shoulders at the sides still move."""
    line = torch.arange(side, device=points.device, dtype=points.dtype)
    chin = (points[:, landmarks.CHIN, 1] + 1) * ((side - 1) / 2)
    below = (line - chin[:, None] - NECK[0] * side) / ((NECK[1] - NECK[0]) * side)
    few = side // SHOULDERS
    near = (1 - torch.minimum(line, side - 1 - line) / (few - 1)).clamp_min(0) ** 2
    return 1 - below.clamp(0, 1)[:, None, :, None] * near


def _faded(side: int, like: Tensor) -> Tensor:
    """Return the factor (h, w) by which the motion at the square's edges is kept."""
    beside, above = side // SWAY, side // LIFT
    columns = torch.arange(-beside, side + beside, device=like.device, dtype=like.dtype)
    rows = torch.arange(-above, side + above, device=like.device, dtype=like.dtype)
    across = torch.maximum(-columns, columns - (side - 1)).clamp_min(0) * (SWAY / side)
    down = torch.maximum(-rows * (ABOVE / side), (rows - (side - 1)) * (BELOW / side)).clamp_min(0)
    return (1 - down).clamp_min(0)[:, None] * (1 - across).clamp_min(0)


def _inside(side: int, like: Tensor) -> Tensor:
    """Return (S, S): 1 in the square, falling towards its edges."""
    line = torch.arange(side, device=like.device, dtype=like.dtype)
    near = (torch.minimum(line, side - 1 - line) * (EDGE / side)).clamp(0, 1)
    return near[:, None] * near

"""The moved person alone, in the square and around it, for PyTorch.

What `avatar_app.compositing.layer` does in bytes.

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
"""A person moves outside of the square by this part of its side, beside it, above and below."""

ABOVE, BELOW = 2, 3
"""Over this part of the side the motion at the square's edge fades out, above it and below."""

SHOULDERS, NECK = 4, (-0.05, 0.1)
"""As in `compositing.layer.damp_shoulders`."""

EDGE = 16
"""Over this part of the side the square's own picture becomes that of the window."""


def layer_corner(side: int) -> tuple[int, int]:
    """Column and row of a layer's first pixel in the square."""
    return -(side // SWAY), -(side // LIFT)


def moved_layer(colours: Tensor, grid: Tensor, window: Tensor, points: Tensor) -> Tensor:
    """The layer (B, 4, h, w): colours and alpha.

    Args:
        colours: (B, 3, S, S), the person as moved and painted in the square.
        grid: (B, 2, S, S) in [-1, 1], from where in the square each pixel is moved.
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
    """(B, 1, S, S) share of the motion that shoulders at the sides keep."""
    line = torch.arange(side, device=points.device, dtype=points.dtype)
    chin = (points[:, landmarks.CHIN, 1] + 1) * ((side - 1) / 2)
    below = (line - chin[:, None] - NECK[0] * side) / ((NECK[1] - NECK[0]) * side)
    few = side // SHOULDERS
    near = (1 - torch.minimum(line, side - 1 - line) / (few - 1)).clamp_min(0) ** 2
    return 1 - below.clamp(0, 1)[:, None, :, None] * near


def _faded(side: int, like: Tensor) -> Tensor:
    """(h, w) share of the motion at the square's edges that is left in a layer."""
    beside, above = side // SWAY, side // LIFT
    columns = torch.arange(-beside, side + beside, device=like.device, dtype=like.dtype)
    rows = torch.arange(-above, side + above, device=like.device, dtype=like.dtype)
    across = torch.maximum(-columns, columns - (side - 1)).clamp_min(0) * (SWAY / side)
    down = torch.maximum(-rows * (ABOVE / side), (rows - (side - 1)) * (BELOW / side)).clamp_min(0)
    return (1 - down).clamp_min(0)[:, None] * (1 - across).clamp_min(0)


def _inside(side: int, like: Tensor) -> Tensor:
    """(S, S): 1 in the square, less towards its edges."""
    line = torch.arange(side, device=like.device, dtype=like.dtype)
    near = (torch.minimum(line, side - 1 - line) * (EDGE / side)).clamp(0, 1)
    return near[:, None] * near

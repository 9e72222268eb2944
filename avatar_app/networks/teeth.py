"""`avatar_app.mouth` for whole batches on any device, as one computation that does the same for every pose.

Shapes: B batch, S the picture's side, P landmarks (B, P, 2) in [-1, 1]; rows of numbers are (B, 1, 1).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.mouth import CORNER_SHADOW, DARKNESS, DEPTH, EDGE, LIP_SHADOW, LOWER_LIP, NOSE_BASE, RIGID, SHADE, SHOWN, WIDE
from avatar_app.networks.grid import coordinate_grid


class Lip(NamedTuple):
    bow: Tensor
    power: Tensor

    def below(self, u: Tensor) -> Tensor:
        return self.bow * (1 - u * u).clamp_min(1e-4) ** self.power


class Opening(NamedTuple):
    """As `avatar_app.mouth.Opening`: middle, along (B, 2), half (B, 1, 1)."""

    middle: Tensor
    along: Tensor
    half: Tensor
    upper: Lip
    lower: Lip

    def place(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return _place(x, y, self.middle, self.along, self.half)

    def height(self) -> Tensor:
        return self.lower.bow - self.upper.bow


def _numbers(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2) -> two (B, 1, 1)."""
    return pairs[:, :1, None], pairs[:, 1:, None]


def _place(x: Tensor, y: Tensor, middle: Tensor, along: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
    (middle_x, middle_y), (along_x, along_y) = _numbers(middle), _numbers(along)
    x, y = x - middle_x, y - middle_y
    return (x * along_x + y * along_y) / half, y * along_x - x * along_y


def opening(points: Tensor) -> Opening:
    right, left = points[:, 60], points[:, 64]
    half = ((left - right).norm(dim=1) / 2).clamp_min(1e-3)[:, None]
    middle, along = (left + right) / 2, (left - right) / (2 * half)
    lips = []
    for lip in (points[:, None, 61:64], points[:, None, 65:68]):
        u, below = _place(lip[..., 0], lip[..., 1], middle, along, half[:, None])
        bow = below[..., 1:2]
        aside = (u[..., ::2] ** 2).mean(-1, keepdim=True).clamp(0.1, 0.8)
        even = bow.abs() <= 1e-4
        share = torch.where(even, 1.0, below[..., ::2].mean(-1, keepdim=True) / torch.where(even, 1.0, bow))
        lips.append(Lip(bow, (share.clamp_min(0.1).log() / (1 - aside).log()).clamp(0.4, 1.5)))
    return Opening(middle, along, half[:, None], *lips)


def shows_teeth(points: Tensor) -> Tensor:
    nose = (points[:, 27] - points[:, 33]).norm(dim=1).clamp_min(1e-3)
    apart = (points[:, 61:64] - points[:, 65:68].flip(1)).norm(dim=2).mean(1) / nose
    shown: Tensor = ((apart - SHOWN[0]) / (SHOWN[1] - SHOWN[0])).clamp(0, 1)
    return shown[:, None, None]


def skull_map(still: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """The linear part (B, 2, 2) and the offset (B, 2, 1) of where the upper half of the face comes from: pose -> photo."""
    base_here, base_there = (points[:, NOSE_BASE].mean(1, keepdim=True) for points in (pose, still))
    here, there = (torch.cat([points[:, part] for part in RIGID], 1) - base for points, base in ((pose, base_here), (still, base_there)))
    own = here.transpose(1, 2) @ here
    a, b, d = own[:, 0, 0] + 1e-6, own[:, 0, 1], own[:, 1, 1] + 1e-6
    inverse = torch.stack([d, -b, -b, a], 1).reshape(-1, 2, 2) / (a * d - b * b)[:, None, None]
    linear = (inverse @ here.transpose(1, 2) @ there).transpose(1, 2)
    return linear, base_there.transpose(1, 2) - linear @ base_here.transpose(1, 2)


def show_teeth(picture: Tensor, photo: Tensor, still: Tensor, pose: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) with the photos' (B, 3, S, S) teeth in their mouths; landmarks (B, P, 2) of photos and poses."""
    side = picture.shape[-1]
    grid = coordinate_grid(side, side, picture.device)
    x, y = grid[None, ..., 0], grid[None, ..., 1]
    here, there = opening(pose), opening(still)
    u, v = here.place(x, y)
    under_lip = v - here.upper.below(u)
    inside = shows_teeth(still) * (u.abs() < 1) * (under_lip / EDGE).clamp(0, 1) * ((here.lower.below(u) - v) / (1.5 * EDGE)).clamp(0, 1)
    opened = here.height() - there.height()
    wider, wide = ((opened / full).clamp(0, 1) for full in (2 * EDGE, WIDE))

    linear, offset = skull_map(still, pose)
    from_x, from_y = (linear[:, i, 0, None, None] * x + linear[:, i, 1, None, None] * y + offset[:, i, :, None] for i in (0, 1))
    u_there, v_there = there.place(from_x, from_y)
    end = there.lower.below(u_there) - wider * EDGE
    teeth_here = ((end - v_there) / EDGE + 0.5).clamp(0, 1)
    raised = (there.upper.below(u_there) + wider * EDGE - v_there).clamp_min(0)
    along_x, along_y = _numbers(there.along)
    teeth = _sample(photo, torch.stack([from_x - raised * along_y, from_y + raised * along_x], -1))
    shade = 1 - wider * (LIP_SHADOW * (1 - (under_lip / SHADE).clamp(0, 1)) + CORNER_SHADOW * u.clamp(-1, 1) ** 4)
    deep = ((v_there - end) / here.height().clamp_min(1e-3)).clamp(0, 1)
    cavity = _dark_lip(photo, still) * (DEPTH[0] + DEPTH[1] * deep * deep)[:, None]
    filling = picture + wide[:, None] * (cavity - picture)
    filling = filling + teeth_here[:, None] * (teeth * shade[:, None] - filling)
    return picture + inside[:, None] * (filling - picture)


def _dark_lip(photo: Tensor, still: Tensor) -> Tensor:
    """(B, 3, 1, 1)."""
    outer, inner = (still[:, part].mean(1) for part in LOWER_LIP)
    colour = _sample(photo, ((outer + inner) / 2)[:, None, None])
    return torch.cat([colour[:, channel : channel + 1] * left for channel, left in enumerate(DARKNESS)], 1)


def _sample(photo: Tensor, places: Tensor) -> Tensor:
    return F.grid_sample(photo, places, mode="bilinear", padding_mode="border", align_corners=True)

"""Random deformations of the plane, for the equivariance losses (section 3.1).

Key points must move with the picture they are found in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.networks.grid import coordinate_grid

# Keeps the logarithm finite at a control point, where its factor is 0 anyway.
TINY = 1e-8


class Deformation:
    """An affine map plus a thin-plate spline, one for each picture of a batch.

    Deformed picture(z) = picture(T(z)).

    Args:
        sigma_affine: standard deviation of each entry of the affine map's difference from the identity.
        sigma_tps: standard deviation of each control point's weight.
        points_tps: control points along a side.
    """

    def __init__(
        self, batch: int, sigma_affine: float, sigma_tps: float, points_tps: int, random: torch.Generator
    ) -> None:
        self.affine = torch.eye(2, 3) + sigma_affine * torch.randn((batch, 2, 3), generator=random)
        self.weights = sigma_tps * torch.randn((batch, points_tps**2), generator=random)
        self.controls = coordinate_grid(points_tps, points_tps).view(-1, 2)

    def to(self, device: torch.device) -> Deformation:
        self.affine, self.weights, self.controls = (
            self.affine.to(device),
            self.weights.to(device),
            self.controls.to(device),
        )
        return self

    def __call__(self, points: Tensor) -> Tensor:
        """Return T(z) of (B, N, 2). The spline adds the same amount to x and y."""
        moved = (self.affine[:, None, :, :2] * points[:, :, None, :]).sum(-1) + self.affine[:, None, :, 2]
        square = (points[:, :, None] - self.controls).square().sum(-1)
        bend = 0.5 * square * (square + TINY).log()
        return moved + (bend * self.weights[:, None]).sum(-1, keepdim=True)

    def jacobian(self, points: Tensor) -> Tensor:
        """Return the derivative of T at (B, N, 2), as (B, N, 2, 2).

        Rows are T's coordinates, columns the point's.
        """
        offset = points[:, :, None] - self.controls
        square = offset.square().sum(-1)
        slope = ((square + TINY).log() + square / (square + TINY)) * self.weights[:, None]
        gradient = (slope[..., None] * offset).sum(2)
        return self.affine[:, None, :, :2] + gradient[:, :, None, :]

    def warp(self, picture: Tensor, align_corners: bool = True) -> Tensor:
        """Warp (B, C, H, W), mirrored beyond its borders."""
        batch, _, height, width = picture.shape
        points = coordinate_grid(height, width, picture.device).view(1, -1, 2).expand(batch, -1, -1)
        flow = self(points).view(batch, height, width, 2)
        return F.grid_sample(picture.float(), flow, padding_mode="reflection", align_corners=align_corners)

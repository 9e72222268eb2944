"""Compute the motion of each pixel from landmarks.

Each anchor moves its neighbourhood by an affine map estimated from the landmarks around it; a network learns
which anchor moves which pixel. Shapes: B batch, P landmarks (88), K anchors, grids in [-1, 1] with
``align_corners=True``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avatar_app.networks.anchored.config import SKETCH_GROUPS, AnchoredConfig
from avatar_app.networks.anchored.features import Features
from avatar_app.networks.anchored.pictures import double, resize, warp
from avatar_app.networks.blocks import conv
from avatar_app.networks.grid import coordinate_grid


def draw_sketch(points: Tensor, size: int) -> Tensor:
    """Draw landmarks (B, P, 2) as soft dots one cell wide, one channel for each group.

    Returns (B, len(SKETCH_GROUPS), size, size).
    """
    cell = 2 / (size - 1)
    line = torch.linspace(-1, 1, size, device=points.device, dtype=points.dtype)
    across = torch.exp(-0.5 * ((line - points[..., 0:1]) / cell) ** 2)
    down = torch.exp(-0.5 * ((line - points[..., 1:2]) / cell) ** 2)
    dots = down[..., :, None] * across[..., None, :]
    return torch.stack([dots[:, list(group)].amax(1) for group in SKETCH_GROUPS], dim=1)


def inverse_2x2(m: Tensor) -> Tensor:
    """Invert (..., 2, 2) matrices in closed form, which exports to ONNX."""
    a, b, c, d = m[..., 0, 0], m[..., 0, 1], m[..., 1, 0], m[..., 1, 1]
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]


def face_scale(points: Tensor) -> Tensor:
    """Return (B, 1, 1) the points' root mean square distance from their centre.

    Points are (B, K, 2).
    """
    centred = points - points.mean(1, keepdim=True)
    return (centred**2).sum(-1, keepdim=True).mean(1, keepdim=True).sqrt()


def estimate_jacobians(source: Tensor, driving: Tensor) -> Tensor:
    """Estimate affine maps (B, K, 2, 2) from driving to source offsets at the anchors.

    Weighted least squares over neighbouring anchors (nearness measured in the photo), with a ridge towards
    the face's global affine map. It replaces J_k = J^S_k (J^D_k)^-1 of FOMM equation 4.
    """
    scale = face_scale(source)
    eye = torch.eye(2, device=source.device, dtype=source.dtype)
    centred_source = source - source.mean(1, keepdim=True)
    centred_driving = driving - driving.mean(1, keepdim=True)
    spread = (centred_driving.transpose(1, 2) @ centred_driving) / source.shape[1]
    joint = (centred_source.transpose(1, 2) @ centred_driving) / source.shape[1]
    common = joint @ inverse_2x2(spread + 1e-4 * eye)

    from_source = source[:, None] - source[:, :, None]
    from_driving = driving[:, None] - driving[:, :, None]
    near = torch.exp(-0.5 * (from_source**2).sum(-1) / (0.3 * scale) ** 2)
    near = near / near.sum(2, keepdim=True)
    ridge = (0.12 * scale[..., None]) ** 2
    spread = (near[..., None] * from_driving).transpose(2, 3) @ from_driving + ridge * eye
    joint = (near[..., None] * from_source).transpose(2, 3) @ from_driving + ridge * common[:, None]
    return joint @ inverse_2x2(spread)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.second(self.first(x))
        return x + changed


class DenseMotion(nn.Module):
    """Compute backward flow, occlusion and a decoder context from two sets of anchors.

    See FOMM section 3.2. The softmax over anchors starts from a prior: a pixel follows the anchors near it
    and stays still far from all of them.
    """

    def __init__(self, config: AnchoredConfig) -> None:
        super().__init__()
        groups, photo, widths = len(SKETCH_GROUPS), config.photo_channels, config.motion_channels
        self.anchors = list(config.anchors)
        self.log_reach = nn.Parameter(torch.full((len(config.anchors),), -1.3))
        self.rest = nn.Parameter(torch.tensor(3.0))
        self.stem = conv(2 * (photo + 3) + 2 * groups + 3, widths[0], 3, 2)
        self.down1 = conv(widths[0], widths[1], 3, 2)
        self.down2 = conv(widths[1], widths[2], 3, 2)
        self.middle = conv(widths[2], widths[2])
        self.up1 = conv(widths[2], widths[1])
        self.merge1 = conv(2 * widths[1], widths[1])
        self.up0 = conv(widths[1], widths[0])
        self.merge0 = conv(2 * widths[0], widths[0])
        self.mask = nn.Conv2d(widths[0], len(config.anchors) + 1, 3, padding=1)
        self.fine = nn.Conv2d(widths[0], 5, 3, padding=1)
        # All zero: training starts from the prior alone, without a free offset.
        for parameter in (*self.mask.parameters(), *self.fine.parameters()):
            nn.init.zeros_(parameter)

    def prior(self, driving: Tensor, size: int) -> Tensor:
        """Return the prior's logits (B, K+1, size, size); channel 0 is the background."""
        reach = self.log_reach.exp()[None, :, None] * face_scale(driving)
        line = torch.linspace(-1, 1, size, device=driving.device, dtype=driving.dtype)
        across = -0.5 * ((line - driving[..., 0:1]) / reach) ** 2
        down = -0.5 * ((line - driving[..., 1:2]) / reach) ** 2
        near = down[..., :, None] + across[..., None, :]
        return torch.cat([(-self.rest).expand_as(near[:, :1]), near], 1)

    @staticmethod
    def mix(weights: Tensor, affine: Tensor) -> Tensor:
        """Sum weight_k (A_k z + b_k) over k.

        Weights (B, K+1, h, w), affine (B, K+1, 6) -> flow (B, 2, h, w). The sum of affine maps is itself an
        affine map at each pixel, so the K + 1 candidate flows are never stored.
        """
        maps = torch.einsum("bkp,bkhw->bphw", affine, weights)
        z = coordinate_grid(weights.shape[2], weights.shape[3], weights.device).permute(2, 0, 1)
        x = maps[:, 0] * z[0] + maps[:, 1] * z[1] + maps[:, 4]
        y = maps[:, 2] * z[0] + maps[:, 3] * z[1] + maps[:, 5]
        return torch.stack([x, y], 1)

    def candidates(self, source: Tensor, driving: Tensor) -> Tensor:
        """Return the affine maps z -> J_k (z - d_k) + s_k, (B, K+1, 6).

        As (J row-major, offset). The first is the identity.
        """
        jacobians = estimate_jacobians(source, driving)
        offsets = source - (jacobians @ driving[..., None])[..., 0]
        moved = torch.cat([jacobians.flatten(2), offsets], 2)
        still = torch.tensor(
            [1.0, 0.0, 0.0, 1.0, 0.0, 0.0], device=moved.device, dtype=moved.dtype
        ).expand_as(moved[:, :1])
        return torch.cat([still, moved], 1)

    def forward(self, features: Features, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return flow, free offset, occlusion, context and the sketch of the driving face.

        Flow and offset are (B, 2, H/4, H/4), occlusion (B, 3, H/4, H/4), context at H/8.
        """
        source, driving = features.points[:, self.anchors], points[:, self.anchors]
        size = features.motion.shape[-1]
        affine = self.candidates(source, driving)
        prior = self.prior(driving, size)
        weights = prior.softmax(1)
        coarse = self.mix(weights, affine)
        sketch = draw_sketch(points, size)
        still = coordinate_grid(size, size, points.device).permute(2, 0, 1)
        seen = torch.cat(
            [
                features.motion,
                warp(features.motion, coarse),
                draw_sketch(features.points, size),
                sketch,
                coarse - still,
                weights[:, :1],
            ],
            1,
        )
        x0 = self.stem(seen)
        x1 = self.down1(x0)
        x2 = self.middle(self.down2(x1))
        x1 = self.merge1(torch.cat([self.up1(double(x2)), x1], 1))
        context = self.merge0(torch.cat([self.up0(double(x1)), x0], 1))
        weights = (prior + resize(self.mask(context), size)).softmax(1)
        fine = resize(self.fine(context), size)
        offset = 0.1 * fine[:, :2]
        return self.mix(weights, affine) + offset, offset, torch.sigmoid(fine[:, 2:] + 2), context, sketch

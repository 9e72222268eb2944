"""Compute dense motion from key points (section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from avatar_app.networks.blocks import AntiAliasDownscale, Hourglass
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.keypoints import KeyPointTensors
from avatar_app.networks.grid import coordinate_grid, gaussian_heat_maps, warp


class Motion(NamedTuple):
    """Dense motion of a picture.

    Attributes:
        flow: (B, h, w, 2), the source position of each output pixel.
        occlusion: (B, 1, h, w) in [0, 1], 0 where the photo does not show what is needed, or None.
        mask: (B, K + 1, h, w), which key point a pixel follows; the first is the background.
        warped: (B, K + 1, C, h, w), the small photo under each key point's motion alone.
    """

    flow: Tensor
    occlusion: Tensor | None
    mask: Tensor
    warped: Tensor


def inverse_2x2(matrices: Tensor) -> Tensor:
    """Invert (..., 2, 2) matrices: in closed form at export and on GPUs, else LAPACK.

    The original calls LAPACK. A last-bit difference here moves a sample by 1e-5 pixels, which shows as 3e-5
    in a warped noise picture; with LAPACK on the CPU the original is reproduced bit for bit.
    """
    if matrices.device.type == "cpu" and not torch.onnx.is_in_onnx_export():
        inverse: Tensor = torch.linalg.inv(matrices)
        return inverse
    a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]


def multiply_2x2(left: Tensor, right: Tensor) -> Tensor:
    """Multiply (..., 2, 2) matrices without matmul, which autocast would halve."""
    return (left[..., :, :, None] * right[..., None, :, :]).sum(-2)


def sparse_flows(source: KeyPointTensors, driving: KeyPointTensors, height: int, width: int) -> Tensor:
    """Return a backward flow for the background and each key point (equations 4, 5).

    T_k(z) = p_k^S + J_k (z - p_k^D), with J_k = J_k^S (J_k^D)^-1; the background's is the identity.

    Returns:
        (B, K + 1, height, width, 2).
    """
    grid = coordinate_grid(height, width, source.value.device)
    offset = grid - driving.value.float()[:, :, None, None, :]
    if source.jacobian is not None and driving.jacobian is not None:
        frames = multiply_2x2(source.jacobian.float(), inverse_2x2(driving.jacobian.float()))
        offset = (frames[:, :, None, None] * offset[..., None, :]).sum(-1)
    moved = offset + source.value.float()[:, :, None, None, :]
    background = grid[None, None].expand(moved.shape[0], 1, height, width, 2)
    return torch.cat([background, moved], dim=1)


def dense_flow(mask: Tensor, flows: Tensor) -> Tensor:
    """Average the flows, weighted by the mask (equation 8).

    (B, K + 1, h, w) and (B, K + 1, h, w, 2) -> (B, h, w, 2).
    """
    return (mask[..., None] * flows).sum(dim=1)


class DenseMotion(nn.Module):
    """Mixes the key points' motions for every pixel.

    Works on the photo at ``scale_factor`` of its size.
    """

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        part = config.generator_params.dense_motion_params
        self.variance = part.kp_variance
        self.align_corners = config.align_corners
        inputs = (config.num_kp + 1) * (config.num_channels + 1)
        self.hourglass = Hourglass(inputs, part.block_expansion, part.max_features, part.num_blocks)
        self.mask = nn.Conv2d(self.hourglass.features, config.num_kp + 1, 7, padding=3)
        occludes = config.generator_params.estimate_occlusion_map
        self.occlusion = nn.Conv2d(self.hourglass.features, 1, 7, padding=3) if occludes else None
        self.down = (
            AntiAliasDownscale(config.num_channels, part.scale_factor)
            if part.scale_factor != 1
            else nn.Identity()
        )

    def thumbnail(self, photo: Tensor) -> Tensor:
        """Return the photo at this network's scale; computed once for each photo."""
        small: Tensor = self.down(photo)
        return small

    def forward(self, thumbnail: Tensor, source: KeyPointTensors, driving: KeyPointTensors) -> Motion:
        """Compute the motion of ``thumbnail``, the photo (B, C, h, w) from `thumbnail`."""
        batch, channels, height, width = thumbnail.shape
        flows = sparse_flows(source, driving, height, width)
        # All K + 1 flows are stacked into one tall picture: one 4-D sampling instead of K + 1 copies of the
        # photo.
        tall = warp(thumbnail, flows.reshape(batch, -1, width, 2), self.align_corners)
        warped = tall.view(batch, channels, -1, height, width).transpose(1, 2)
        features = self.hourglass(
            torch.cat([self._heat_maps(source, driving, thumbnail), warped], dim=2).flatten(1, 2)
        )
        mask = torch.softmax(self.mask(features).float(), dim=1)
        occlusion = None if self.occlusion is None else torch.sigmoid(self.occlusion(features))
        return Motion(dense_flow(mask, flows), occlusion, mask, warped)

    def _heat_maps(self, source: KeyPointTensors, driving: KeyPointTensors, thumbnail: Tensor) -> Tensor:
        """Return driving minus source heat maps (B, K + 1, 1, h, w) (equation 6).

        The background's are 0.
        """
        height, width = thumbnail.shape[2:]
        there, here = (
            gaussian_heat_maps(points.value, height, width, self.variance) for points in (driving, source)
        )
        heat = there - here
        return torch.cat([torch.zeros_like(heat[:, :1]), heat], dim=1).unsqueeze(2).to(thumbnail.dtype)

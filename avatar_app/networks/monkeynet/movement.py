"""Movement embedding: key points drawn as maps for convolutions, without weights."""

from __future__ import annotations

import torch
from torch import Tensor

from avatar_app.networks.grid import coordinate_grid, warp
from avatar_app.networks.monkeynet.config import EmbeddingConfig
from avatar_app.networks.monkeynet.keypoints import PointTensors


def embedding_channels(config: EmbeddingConfig, colours: int) -> int:
    """Return the number of maps for each key point."""
    return config.use_heatmap + 2 * config.use_difference + colours * config.use_deformed_source_image


def embed_movement(
    config: EmbeddingConfig,
    small: Tensor,
    source: PointTensors,
    driving: PointTensors,
    background: bool = False,
) -> Tensor:
    """Draw key points as maps.

    Args:
        small: the source picture at the embedding's scale, (B, C, h, w).
        background: put a key point without motion before the others.

    Returns:
        (B, K * n, h, w), with a background (B, (K + 1) * n, h, w); a key point's n maps are adjacent.
    """
    height, width = small.shape[2:]
    maps: list[Tensor] = []
    moved = source.value - driving.value
    if background:
        moved = torch.cat([torch.zeros_like(moved[:, :1]), moved], dim=1)
    if config.use_heatmap:
        maps.append(_heat_maps(config, (height, width), source, driving, background))
    if config.use_difference:
        maps.append(moved[..., None, None].expand(*moved.shape, height, width))
    if config.use_deformed_source_image:
        maps.append(deformed_sources(small, moved))
    return torch.cat([part.to(small.dtype) for part in maps], dim=2).flatten(1, 2)


def deformed_sources(small: Tensor, moved: Tensor) -> Tensor:
    """Translate a picture (B, C, h, w) by each of (B, K, 2): (B, K, C, h, w)."""
    batch, channels, height, width = small.shape
    flows = coordinate_grid(height, width, small.device) + moved.float()[:, :, None, None]
    # All flows are stacked into one tall picture: one sampling instead of K copies of the photo.
    tall = warp(small, flows.reshape(batch, -1, width, 2), align_corners=True)
    return tall.view(batch, channels, -1, height, width).transpose(1, 2)


def _heat_maps(
    config: EmbeddingConfig,
    size: tuple[int, int],
    source: PointTensors,
    driving: PointTensors,
    background: bool,
) -> Tensor:
    """Return (B, K, 1, h, w), with the background's where wanted."""
    heat = _bells(driving, size, config.norm_const)
    if config.heatmap_type == "difference":
        heat = heat - _bells(source, size, config.norm_const)
    if background:
        heat = torch.cat([torch.zeros_like(heat[:, :1]), heat], dim=1)
    return heat[:, :, None]


def _bells(points: PointTensors, size: tuple[int, int], norm: float) -> Tensor:
    """Draw a Gaussian for each covariance, divided by ``norm`` (0: by its sum).

    Returns (B, K, h, w).
    """
    offset = coordinate_grid(*size, points.value.device) - points.value.float()[:, :, None, None]
    inverse = inverse_covariance(points.variance.float())[:, :, None, None]
    x, y = offset[..., 0], offset[..., 1]
    squared = (
        x * x * inverse[..., 0, 0]
        + x * y * (inverse[..., 0, 1] + inverse[..., 1, 0])
        + y * y * inverse[..., 1, 1]
    )
    heat = torch.exp(-0.5 * squared)
    return heat / norm if norm else heat / heat.sum(dim=(2, 3), keepdim=True)


def inverse_covariance(matrices: Tensor) -> Tensor:
    """Invert (..., 2, 2) matrices in closed form."""
    a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]

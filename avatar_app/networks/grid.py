"""Coordinates, heat maps and warps.

Positions are in [-1, 1], x first, and -1 and 1 are the *centres* of the first and last pixel: x = 2 * column
/ (width - 1) - 1. Motion is computed in float32 whatever precision the networks have: half precision resolves
only an eighth of a pixel at 256.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def coordinate_grid(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return the position of every pixel, (height, width, 2), x first."""
    x = 2 * (torch.arange(width, dtype=torch.float32, device=device) / (width - 1)) - 1
    y = 2 * (torch.arange(height, dtype=torch.float32, device=device) / (height - 1)) - 1
    return torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)], dim=-1)


def gaussian_heat_maps(points: Tensor, height: int, width: int, variance: float) -> Tensor:
    """Draw a Gaussian of height 1 around each point (equation 6 of the paper).

    Args:
        points: (B, K, 2).
        variance: of each axis, in the unit of the points; the original uses 0.01.

    Returns:
        (B, K, height, width).
    """
    grid = coordinate_grid(height, width, points.device)
    offset = grid - points.float()[:, :, None, None, :]
    return torch.exp(-0.5 * (offset * offset).sum(-1) / variance)


def warp(picture: Tensor, flow: Tensor, align_corners: bool, padding: str = "zeros") -> Tensor:
    """Warp backwards: read each output pixel where the flow points.

    Args:
        picture: (B, C, H, W).
        flow: (B, h, w, 2), absolute positions in the picture, not offsets.
        align_corners: whether -1 and 1 mean pixel centres (True, as in `coordinate_grid`) or outer edges of
            the border pixels.

    Returns:
        (B, C, h, w), in the picture's precision.
    """
    warped = functional.grid_sample(
        picture.float(), flow.float(), mode="bilinear", padding_mode=padding, align_corners=align_corners
    )
    return warped.to(picture.dtype)


def resize(maps: Tensor, height: int, width: int) -> Tensor:
    """Resize (B, C, H, W) bilinearly, without aligned corners."""
    if maps.shape[2] == height and maps.shape[3] == width:
        return maps
    return functional.interpolate(maps, size=(height, width), mode="bilinear", align_corners=False)


def resize_flow(flow: Tensor, height: int, width: int) -> Tensor:
    """Resize a flow (B, h, w, 2) as `resize` does."""
    return resize(flow.permute(0, 3, 1, 2), height, width).permute(0, 2, 3, 1)

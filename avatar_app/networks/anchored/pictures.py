"""Resize and warp batches of pictures."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def resize(x: Tensor, size: int) -> Tensor:
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=True)


def enlarge(x: Tensor, times: int) -> Tensor:
    """Enlarge pictures, keeping pixel centres in place."""
    return (
        x if times == 1 else F.interpolate(x, scale_factor=float(times), mode="bilinear", align_corners=False)
    )


def double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def warp(x: Tensor, flow: Tensor, beyond: str = "border") -> Tensor:
    """Warp (B, C, h, w) backwards by a flow (B, 2, h', w'), resized to h x w.

    Args:
        flow: positions in the source, in [-1, 1].
        beyond: what lies outside: the nearest pixel ("border"), or the picture mirrored ("reflection").
    """
    if flow.shape[-1] != x.shape[-1]:
        flow = resize(flow, x.shape[-1])
    moved: Tensor = F.grid_sample(
        x, flow.permute(0, 2, 3, 1), mode="bilinear", padding_mode=beyond, align_corners=True
    )
    return moved

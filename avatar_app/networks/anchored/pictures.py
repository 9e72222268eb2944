"""Resize, blur and warp batches of pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resize(x: Tensor, size: int) -> Tensor:
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=True)


def enlarge(x: Tensor, times: int) -> Tensor:
    """Larger pictures, each pixel's middle where it was."""
    return (
        x if times == 1 else F.interpolate(x, scale_factor=float(times), mode="bilinear", align_corners=False)
    )


def blur(x: Tensor) -> Tensor:
    """The mean over 3 x 3 pixels with the binomial weights 1 2 1.

    What is left of the pattern that `F.pixel_shuffle` begins with goes.
    """
    kernel = torch.tensor([0.25, 0.5, 0.25], device=x.device, dtype=x.dtype)
    channels = x.shape[1]
    weight = (kernel[:, None] * kernel).expand(channels, 1, 3, 3)
    blurred: Tensor = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, groups=channels)
    return blurred


def double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def warp(x: Tensor, flow: Tensor, beyond: str = "border") -> Tensor:
    """Warp (B, C, h, w) backwards by a flow (B, 2, h', w'), resized to h x w.

    The flow holds source coordinates.

    Args:
        beyond: what is outside: the nearest pixel ("border"), or the picture mirrored ("reflection").
    """
    if flow.shape[-1] != x.shape[-1]:
        flow = resize(flow, x.shape[-1])
    moved: Tensor = F.grid_sample(
        x, flow.permute(0, 2, 3, 1), mode="bilinear", padding_mode=beyond, align_corners=True
    )
    return moved

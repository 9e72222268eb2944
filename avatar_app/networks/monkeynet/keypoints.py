"""Monkey-Net's key-point detector: mean and covariance of heat maps (section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_app.networks.blocks import HourglassDecoder, HourglassEncoder, widths
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.monkeynet.config import MonkeyNetConfig

HEAT_FLOOR = 1e-7
"""Added to every cell of a heat map, which is not normalised again; the means shift slightly."""


class PointTensors(NamedTuple):
    """Key points of a batch, float32.

    Attributes:
        value: (B, K, 2) in [-1, 1], x first.
        variance: (B, K, 2, 2).
    """

    value: Tensor
    variance: Tensor


class FinishedHourglass(nn.Module):
    """A U-Net that ends in a bare 3x3 convolution.

    The side must be a multiple of 2**blocks.
    """

    def __init__(
        self, inputs: int, outputs: int, block_expansion: int, max_features: int, blocks: int
    ) -> None:
        super().__init__()
        channels = widths(block_expansion, max_features, blocks)
        self.encoder = HourglassEncoder(inputs, channels)
        self.decoder = HourglassDecoder(channels)
        self.decoder.add_module("conv", nn.Conv2d(channels[0] + inputs, outputs, 3, padding=1))

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.decoder.get_submodule("conv")(self.decoder(self.encoder(maps)))
        return result


class KeyPointDetector(nn.Module):
    """Detects key points as mean and covariance of heat maps."""

    def __init__(self, config: MonkeyNetConfig) -> None:
        super().__init__()
        part = config.kp_detector_params
        self.temperature, self.least, self.scale = part.temperature, part.clip_variance, part.scale_factor
        sizes = (part.block_expansion, part.max_features, part.num_blocks)
        self.predictor = FinishedHourglass(config.num_channels, config.num_kp, *sizes)

    def forward(self, picture: Tensor) -> PointTensors:
        """Detect key points in a picture (B, C, H, W) in [0, 1]."""
        logits = self.predictor(shrink(picture, self.scale)).float()
        heat = functional.softmax(logits.flatten(2) / self.temperature, dim=2).view(logits.shape) + HEAT_FLOOR
        grid = coordinate_grid(logits.shape[2], logits.shape[3], picture.device)
        value = (heat[..., None] * grid).sum(dim=(2, 3))
        offset = grid - value[:, :, None, None]
        variance = (heat[..., None, None] * (offset[..., :, None] * offset[..., None, :])).sum(dim=(2, 3))
        return PointTensors(value, widened(variance, self.least) if self.least else variance)


def shrink(picture: Tensor, scale: float) -> Tensor:
    """Keep every n-th pixel of (B, C, H, W), with n = 1 / scale.

    The same as the original's resize to the nearest pixel.
    """
    step = round(1 / scale)
    return picture if step == 1 else picture[:, :, ::step, ::step]


def widened(variance: Tensor, least: float) -> Tensor:
    """Enlarge covariances (B, K, 2, 2) to a smallest singular value of ``least``."""
    a, b, c, d = variance[..., 0, 0], variance[..., 0, 1], variance[..., 1, 0], variance[..., 1, 1]
    total = a * a + b * b + c * c + d * d
    spread = torch.sqrt((a * a + b * b - c * c - d * d) ** 2 + 4 * (a * c + b * d) ** 2)
    # Rounding can leave a slightly negative number under the root.
    smallest = torch.sqrt(((total - spread) / 2).clamp_min(1e-20))
    return variance * (smallest.clamp_min(least) / smallest)[..., None, None]

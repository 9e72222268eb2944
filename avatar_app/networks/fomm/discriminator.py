"""Patch discriminator of the adversarial configurations, at one or several scales."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import spectral_norm

from avatar_app.networks.blocks import AntiAliasDownscale, widths
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.grid import gaussian_heat_maps


class Judgement(NamedTuple):
    """Output of a discriminator.

    Attributes:
        features: the maps of every block, for feature matching.
        prediction: (B, 1, h, w), near 1 for real patches.
    """

    features: list[Tensor]
    prediction: Tensor


def _convolution(inputs: int, outputs: int, kernel: int, normalised: bool) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, kernel)
    return spectral_norm(convolution) if normalised else convolution


class PatchBlock(nn.Module):
    """Convolution without padding, normalisation, leaky ReLU, halving.

    The first has no instance normalisation, the last no halving.
    """

    def __init__(self, inputs: int, outputs: int, first: bool, last: bool, spectral: bool) -> None:
        super().__init__()
        self.conv = _convolution(inputs, outputs, 4, spectral)
        self.norm = nn.Identity() if first else nn.InstanceNorm2d(outputs, affine=True)
        self.last = last

    def forward(self, maps: Tensor) -> Tensor:
        maps = functional.leaky_relu(self.norm(self.conv(maps)), 0.2)
        return maps if self.last else functional.avg_pool2d(maps, 2)


class PatchDiscriminator(nn.Module):
    """A discriminator at one scale."""

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        part = config.discriminator_params
        self.variance = part.kp_variance
        channels = widths(part.block_expansion, part.max_features, part.num_blocks)
        channels[0] = config.num_channels + (config.num_kp if part.use_kp else 0)
        self.down_blocks = nn.ModuleList(
            PatchBlock(
                channels[i], channels[i + 1], first=i == 0, last=i == part.num_blocks - 1, spectral=part.sn
            )
            for i in range(part.num_blocks)
        )
        self.conv = _convolution(channels[-1], 1, 1, part.sn)

    def forward(self, picture: Tensor, points: Tensor | None) -> Judgement:
        maps = picture
        if points is not None:
            heat = gaussian_heat_maps(points, picture.shape[2], picture.shape[3], self.variance)
            maps = torch.cat([picture, heat.to(picture.dtype)], dim=1)
        features = []
        for block in self.down_blocks:
            maps = block(maps)
            features.append(maps)
        return Judgement(features, self.conv(maps))


class Discriminator(nn.Module):
    """A `PatchDiscriminator` for each scale, which downscales the pictures itself."""

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        part = config.discriminator_params
        self.use_kp = part.use_kp
        self.discs = nn.ModuleDict({_key(scale): PatchDiscriminator(config) for scale in part.scales})
        self.downs = nn.ModuleDict(
            {
                _key(scale): nn.Identity()
                if scale == 1
                else AntiAliasDownscale(config.num_channels, scale, saved=False)
                for scale in part.scales
            }
        )

    def forward(self, picture: Tensor, points: Tensor | None = None) -> list[Judgement]:
        """Return one judgement for each scale.

        Args:
            picture: (B, C, H, W) in [0, 1].
            points: (B, K, 2) driving key points; used only with ``use_kp``.
        """
        if self.use_kp and points is None:
            raise ValueError("this discriminator is conditioned on key points, but got none")
        shown = points if self.use_kp else None
        return [disc(self.downs[key](picture), shown) for key, disc in self.discs.items()]


def _key(scale: float) -> str:
    """Return a module name for a scale: names cannot hold a dot.

    The original writes 1 and 0-5 for the scales 1 and 0.5.
    """
    return f"{scale:g}".replace(".", "-")

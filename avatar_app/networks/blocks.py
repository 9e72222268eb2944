"""Building blocks of networks.

Attribute names are those of the original checkpoints, so that these load unchanged.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm and ReLU of our own networks.

    The norm folds into the convolution at export.
    """
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Blur(nn.Module):
    """Blur by 3 x 3 pixels with the binomial weights 1 2 1.

    Removes the pattern left by `F.pixel_shuffle`.
    """

    weight: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        line = torch.tensor([0.25, 0.5, 0.25])
        weight = (line[:, None] * line).repeat(channels, 1, 1, 1)
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        around = functional.pad(maps, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(around, self.weight, groups=len(self.weight))


class SameBlock(nn.Module):
    """Convolution, normalisation, ReLU; keeps the size."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(maps)))


class DownBlock(SameBlock):
    """A `SameBlock` followed by averaging of 2x2 pixels."""

    def forward(self, maps: Tensor) -> Tensor:
        return functional.avg_pool2d(super().forward(maps), 2)


class UpBlock(SameBlock):
    """Upsampling by 2 (nearest pixel), then a `SameBlock`."""

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(functional.interpolate(maps, scale_factor=2.0, mode="nearest"))


class ResidualBlock(nn.Module):
    """Two convolutions with a skip connection, each after normalisation and ReLU."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(features)
        self.norm2 = nn.BatchNorm2d(features)

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.conv1(functional.relu(self.norm1(maps)))
        inner = self.conv2(functional.relu(self.norm2(inner)))
        return torch.add(inner, maps)


def widths(block_expansion: int, max_features: int, blocks: int) -> list[int]:
    """Return ``blocks + 1`` channel counts: doubled at each halving, up to a limit."""
    return [min(max_features, block_expansion * 2**level) for level in range(blocks + 1)]


class HourglassEncoder(nn.Module):
    """Encoder of a U-Net: returns the input and the maps of each scale, largest first."""

    def __init__(self, inputs: int, channels: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(
            DownBlock(before, after)
            for before, after in zip([inputs, *channels[1:-1]], channels[1:], strict=True)
        )

    def forward(self, maps: Tensor) -> list[Tensor]:
        scales = [maps]
        for block in self.down_blocks:
            scales.append(block(scales[-1]))
        return scales


class HourglassDecoder(nn.Module):
    """Decoder of a U-Net: upsamples and concatenates the encoder's maps of each scale.

    Args:
        extra: channels that the caller has added to the maps of every scale.
    """

    def __init__(self, channels: list[int], extra: int = 0) -> None:
        super().__init__()
        depth = len(channels) - 1
        joined = [channels[level] * (1 if level == depth else 2) + extra for level in range(depth, 0, -1)]
        self.up_blocks = nn.ModuleList(
            UpBlock(before, after) for before, after in zip(joined, channels[-2::-1], strict=True)
        )

    def forward(self, scales: list[Tensor]) -> Tensor:
        maps = scales[-1]
        for block, skip in zip(self.up_blocks, scales[-2::-1], strict=True):
            maps = torch.cat([block(maps), skip], dim=1)
        return maps


class Hourglass(nn.Module):
    """A U-Net whose output includes its input, ``features`` channels in all.

    The side must be a multiple of 2**blocks.
    """

    def __init__(self, inputs: int, block_expansion: int, max_features: int, blocks: int) -> None:
        super().__init__()
        channels = widths(block_expansion, max_features, blocks)
        self.encoder = HourglassEncoder(inputs, channels)
        self.decoder = HourglassDecoder(channels)
        self.features = channels[0] + inputs

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.decoder(self.encoder(maps))
        return result


class AntiAliasDownscale(nn.Module):
    """Downscaling by Gaussian blur matched to the scale, then every n-th pixel.

    Args:
        scale: 1/n for a whole n.
        saved: whether the blur kernel is part of the state dict, as in original checkpoints for the networks'
            inputs.
    """

    weight: Tensor

    def __init__(self, channels: int, scale: float, saved: bool = True) -> None:
        super().__init__()
        self.step = round(1 / scale)
        sigma = (1 / scale - 1) / 2
        side = 2 * round(sigma * 4) + 1
        offset = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
        bell = torch.exp(-(offset**2) / (2 * sigma**2))
        kernel = bell[:, None] * bell[None, :]
        self.register_buffer("weight", (kernel / kernel.sum()).repeat(channels, 1, 1, 1), persistent=saved)

    def forward(self, picture: Tensor) -> Tensor:
        return functional.conv2d(
            picture,
            self.weight,
            stride=self.step,
            padding=self.weight.shape[-1] // 2,
            groups=self.weight.shape[0],
        )

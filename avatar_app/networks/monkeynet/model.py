"""Monkey-Net's networks without their time axis, named as in the original."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avatar_app.networks.blocks import widths
from avatar_app.networks.fomm.discriminator import PatchBlock
from avatar_app.networks.monkeynet.config import MonkeyNetConfig
from avatar_app.networks.monkeynet.generator import Generator
from avatar_app.networks.monkeynet.keypoints import KeyPointDetector, PointTensors
from avatar_app.networks.monkeynet.movement import embed_movement, embedding_channels


class MonkeyNet(nn.Module):
    """Generator and detector of Monkey-Net.

    The state dict holds an original checkpoint's ``generator`` and ``kp_detector``, with these prefixes.
    """

    def __init__(self, config: MonkeyNetConfig) -> None:
        super().__init__()
        self.generator = Generator(config)
        self.kp_detector = KeyPointDetector(config)


class Discriminator(nn.Module):
    """Patch discriminator that sees the picture and the driving key points."""

    def __init__(self, config: MonkeyNetConfig) -> None:
        super().__init__()
        part = config.discriminator_params
        self.embedding = part.kp_embedding_params
        channels = widths(part.block_expansion, part.max_features, part.num_blocks)
        channels[0] = config.num_channels + config.num_kp * embedding_channels(
            self.embedding, config.num_channels
        )
        self.down_blocks = nn.ModuleList(
            PatchBlock(channels[i], channels[i + 1], first=i == 0, last=False, spectral=False)
            for i in range(part.num_blocks)
        )
        self.conv = nn.Conv2d(channels[-1], 1, 1)

    def forward(self, picture: Tensor, driving: PointTensors, source: PointTensors) -> list[Tensor]:
        """Judge pictures (B, C, H, W).

        Returns:
            the picture, the maps of every block, and the score (B, 1, h, w), near 1 for real patches.
        """
        drawn = embed_movement(self.embedding, picture, source, driving)
        maps = [torch.cat([picture, drawn], dim=1)]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return [picture, *maps[1:], self.conv(maps[-1])]


def without_time(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert 3-D convolutions of an original state dict to 2-D.

    (out, in, 1, k, k) -> (out, in, k, k).
    """
    return {
        name: value.squeeze(2) if value.ndim == 5 and value.shape[2] == 1 else value
        for name, value in weights.items()
    }

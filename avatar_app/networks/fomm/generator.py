"""Decode the photo's features, warped by the motion (section 3.2, equation 9)."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avatar_app.networks.blocks import DownBlock, ResidualBlock, SameBlock, UpBlock, widths
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.dense_motion import DenseMotion, Motion
from avatar_app.networks.fomm.keypoints import KeyPointTensors
from avatar_app.networks.grid import resize, resize_flow, warp


class SourceFeatures(NamedTuple):
    """Everything that depends on the photo alone.

    Attributes:
        features: (B, C, H/4, W/4).
        thumbnail: (B, 3, h, w), the photo at the dense motion's scale.
    """

    features: Tensor
    thumbnail: Tensor


class Generated(NamedTuple):
    """A picture and its parts, for losses and samples.

    Attributes:
        prediction: (B, C, H, W) in [0, 1].
        deformed: the photo under the same flow, nothing painted.
    """

    prediction: Tensor
    deformed: Tensor
    motion: Motion


class Generator(nn.Module):
    """`encode` once per photo, `decode` once per frame.

    Calling the module does both, for training.
    """

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        part = config.generator_params
        channels = widths(part.block_expansion, part.max_features, part.num_down_blocks)
        self.align_corners = config.align_corners
        self.dense_motion_network = DenseMotion(config)
        self.first = SameBlock(config.num_channels, channels[0], kernel=7)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(channels))
        self.bottleneck = nn.Sequential()
        for index in range(part.num_bottleneck_blocks):
            self.bottleneck.add_module(f"r{index}", ResidualBlock(channels[-1]))
        self.up_blocks = nn.ModuleList(UpBlock(a, b) for a, b in pairwise(reversed(channels)))
        self.final = nn.Conv2d(channels[0], config.num_channels, 7, padding=3)

    def encode(self, photo: Tensor) -> SourceFeatures:
        """Encode a photo (B, C, H, W) in [0, 1]."""
        maps = self.first(photo)
        for block in self.down_blocks:
            maps = block(maps)
        return SourceFeatures(maps, self.dense_motion_network.thumbnail(photo))

    def decode(
        self, source: SourceFeatures, kp_source: KeyPointTensors, kp_driving: KeyPointTensors
    ) -> Tensor:
        """Return the photo in the driving pose, (B, C, H, W) in [0, 1]."""
        return self.paint(source, self.dense_motion_network(source.thumbnail, kp_source, kp_driving))

    def paint(self, source: SourceFeatures, motion: Motion) -> Tensor:
        """Warp the features, mask what the photo does not show, and decode."""
        height, width = source.features.shape[2:]
        maps = warp(source.features, resize_flow(motion.flow, height, width), self.align_corners)
        if motion.occlusion is not None:
            maps = maps * resize(motion.occlusion, height, width)
        maps = self.bottleneck(maps)
        for block in self.up_blocks:
            maps = block(maps)
        return torch.sigmoid(self.final(maps))

    def forward(self, photo: Tensor, kp_source: KeyPointTensors, kp_driving: KeyPointTensors) -> Generated:
        source = self.encode(photo)
        motion = self.dense_motion_network(source.thumbnail, kp_source, kp_driving)
        deformed = warp(photo, resize_flow(motion.flow, photo.shape[2], photo.shape[3]), self.align_corners)
        return Generated(self.paint(source, motion), deformed, motion)

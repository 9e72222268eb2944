"""Monkey-Net's generator: a U-Net with warped skips (sections 3.3, 3.4)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_app.networks.blocks import HourglassDecoder, HourglassEncoder, ResidualBlock, SameBlock, widths
from avatar_app.networks.grid import coordinate_grid, warp
from avatar_app.networks.monkeynet.config import MonkeyNetConfig
from avatar_app.networks.monkeynet.keypoints import FinishedHourglass, PointTensors, shrink
from avatar_app.networks.monkeynet.movement import embed_movement, embedding_channels


class DenseMotion(nn.Module):
    """Mix the key points' translations for every pixel, and add a correction."""

    def __init__(self, config: MonkeyNetConfig) -> None:
        super().__init__()
        part = config.generator_params.dense_motion_params
        self.embedding, self.scale, self.corrects = (
            part.mask_embedding_params,
            part.scale_factor,
            part.use_correction,
        )
        groups = config.num_kp + 1
        inputs = groups * embedding_channels(self.embedding, config.num_channels)
        self.group_blocks = nn.ModuleList(
            SameBlock(inputs, inputs, 1, groups) for _ in range(part.num_group_blocks)
        )
        outputs = groups + 2 * part.use_correction
        self.hourglass = FinishedHourglass(
            inputs, outputs, part.block_expansion, part.max_features, part.num_blocks
        )
        self._favour_background()

    def _favour_background(self) -> None:
        """Start without motion: let the background's mask win."""
        last = self.hourglass.decoder.get_submodule("conv")
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        nn.init.constant_(last.bias[:1], 2.0)

    def forward(self, small: Tensor, source: PointTensors, driving: PointTensors) -> Tensor:
        """Return the source position of each pixel, (B, h, w, 2).

        Args:
            small: small copy of the picture, (B, C, h, w).
        """
        maps = embed_movement(self.embedding, small, source, driving, background=True)
        for block in self.group_blocks:
            maps = block(maps)
        found = self.hourglass(maps).float()
        moved = (source.value - driving.value).float()
        moved = torch.cat([torch.zeros_like(moved[:, :1]), moved], dim=1)
        mask = torch.softmax(found[:, : moved.shape[1]], dim=1)
        flow = (mask[..., None] * moved[:, :, None, None]).sum(dim=1)
        if self.corrects:
            flow = flow + found[:, moved.shape[1] :].permute(0, 2, 3, 1)
        return flow + coordinate_grid(found.shape[2], found.shape[3], found.device)


class Generated(NamedTuple):
    """Output of one pass.

    Attributes:
        prediction: (B, C, H, W) in [0, 1].
        deformed: the source warped, (B, C, H, W).
        flow: (B, h, w, 2), absolute positions.
    """

    prediction: Tensor
    deformed: Tensor
    flow: Tensor


class Generator(nn.Module):
    """`encode` once per photo, `decode` once per frame.

    Calling the module does both, for training.
    """

    def __init__(self, config: MonkeyNetConfig) -> None:
        super().__init__()
        part = config.generator_params
        channels = widths(part.block_expansion, part.max_features, part.num_blocks)
        self.embedding = part.kp_embedding_params
        self.mode = "bilinear" if part.interpolation_mode == "trilinear" else "nearest"
        extra = config.num_kp * embedding_channels(self.embedding, config.num_channels)
        self.appearance_encoder = HourglassEncoder(config.num_channels, channels)
        self.dense_motion_module = DenseMotion(config)
        self.video_decoder = HourglassDecoder(channels, extra)
        features = channels[0] + config.num_channels + extra
        self.refinement_module = nn.Sequential()
        for index in range(part.num_refinement_blocks):
            self.refinement_module.add_module(f"r{index}", ResidualBlock(features))
        self.refinement_module.add_module("conv-last", nn.Conv2d(features, config.num_channels, 1))

    def encode(self, photo: Tensor) -> list[Tensor]:
        """Return the photo (B, C, H, W) in [0, 1] and its maps, largest first."""
        skips: list[Tensor] = self.appearance_encoder(photo)
        return skips

    def decode(self, skips: list[Tensor], source: PointTensors, driving: PointTensors) -> Tensor:
        """Return the photo in the driving pose, (B, C, H, W) in [0, 1]."""
        small = shrink(skips[0], self.dense_motion_module.scale)
        return self.paint(skips, self.dense_motion_module(small, source, driving), source, driving)

    def paint(self, skips: list[Tensor], flow: Tensor, source: PointTensors, driving: PointTensors) -> Tensor:
        """Warp every skip, concatenate the key-point maps, and decode."""
        small = shrink(skips[0], self.embedding.scale_factor)
        drawn = embed_movement(self.embedding, small, source, driving)
        warped = [torch.cat([self.warped(skip, flow), self._sized(drawn, skip)], dim=1) for skip in skips]
        return torch.sigmoid(self.refinement_module(self.video_decoder(warped)))

    def warped(self, maps: Tensor, flow: Tensor) -> Tensor:
        """Warp maps (B, C, H, W) by a flow (B, h, w, 2), resized to them."""
        return warp(maps, self._sized(flow.permute(0, 3, 1, 2), maps).permute(0, 2, 3, 1), align_corners=True)

    def _sized(self, maps: Tensor, like: Tensor) -> Tensor:
        size = like.shape[2:]
        if maps.shape[2:] == size:
            return maps
        aligned = False if self.mode == "bilinear" else None
        return functional.interpolate(maps, size=tuple(size), mode=self.mode, align_corners=aligned)

    def forward(self, photo: Tensor, source: PointTensors, driving: PointTensors) -> Generated:
        skips = self.encode(photo)
        flow = self.dense_motion_module(shrink(photo, self.dense_motion_module.scale), source, driving)
        return Generated(self.paint(skips, flow, source, driving), self.warped(photo, flow), flow)

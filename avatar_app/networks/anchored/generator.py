"""First-order motion with key points anchored to face landmarks: the main model.

The original method learns where key points and their Jacobians are. Here the key points are landmarks found
by a separate, supervised network, and each Jacobian is *estimated* from how the landmarks around it moved.
What remains to be learned is which anchor moves which pixel, what is hidden, and how to paint it; that needs
far less data and time.

Shapes: B batch, P landmarks (88), K anchors, H = W the picture's side (a multiple of 32), grids in [-1, 1]
with ``align_corners=True`` throughout.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.networks.anchored.body_flow import beyond_face, opened_mouth, whole_head
from avatar_app.networks.anchored.config import SKETCH_GROUPS, AnchoredConfig
from avatar_app.networks.anchored.dense_motion import DenseMotion, ResidualBlock, draw_sketch
from avatar_app.networks.anchored.features import Features, Rendered
from avatar_app.networks.anchored.matte import PersonMatte, background, matte
from avatar_app.networks.anchored.pictures import double, enlarge, resize, warp
from avatar_app.networks.anchored.skull import skull_size
from avatar_app.networks.blocks import Blur, conv
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.painters import FacePainter, FaceRegions, look_at, paste


class AnchoredGenerator(nn.Module):
    """The anchored network: ``encode`` a photo once, ``decode`` it for each pose."""

    def __init__(self, config: AnchoredConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.channels
        groups = len(SKETCH_GROUPS)
        self.config = config
        self.encode_half = conv(3, half, 5, 2)
        self.encode_quarter = nn.Sequential(conv(half, quarter, 3, 2), conv(quarter, quarter))
        self.encode_eighth = nn.Sequential(conv(quarter + groups, eighth, 3, 2), conv(eighth, eighth))
        self.encode_motion = conv(quarter, config.photo_channels, 1)
        self.dense_motion = DenseMotion(config)
        self.bottleneck = nn.Sequential(
            conv(eighth + config.motion_channels[0], eighth),
            *[ResidualBlock(eighth) for _ in range(config.blocks)],
        )
        self.up_quarter = conv(eighth, quarter)
        self.merge_quarter = conv(2 * quarter + groups, quarter)
        self.up_half = conv(quarter, half)
        self.merge_half = conv(2 * half + 3, half)
        self.paint = nn.Conv2d(half, 16, 3, padding=1)
        self.blur = Blur(4)
        self.matte = PersonMatte() if config.matte else None
        self.regions = FacePainter() if config.regions else None

    def encode(self, image: Tensor, points: Tensor) -> Features:
        """Encode a photo (B, 3, H, W) in [0, 1] with landmarks (B, P, 2)."""
        detail = self.config.detail
        small = F.avg_pool2d(image, detail) if detail > 1 else image
        half = self.encode_half(small)
        quarter = self.encode_quarter(half)
        half = torch.cat([half, F.avg_pool2d(small, 2)], 1)
        sketch = draw_sketch(points, quarter.shape[-1])
        eighth = self.encode_eighth(torch.cat([quarter, sketch], 1))
        thumbnail = F.avg_pool2d(small, 4)
        person = torch.ones_like(image[:, :1]) if self.matte is None else matte(self.matte, image, points)
        behind = image if self.matte is None else background(image, person)
        motion = torch.cat([thumbnail, self.encode_motion(quarter)], 1)
        body = F.avg_pool2d(person, image.shape[-1] // motion.shape[-1])
        nothing = image[:, :1, :1, :1]
        regions = (
            [nothing] * len(FaceRegions._fields)
            if self.regions is None
            else self.regions.photo(image, points)
        )
        skull = skull_size(body, points)
        return Features(image, half, quarter, eighth, motion, points, person, behind, body, skull, *regions)

    def decode(self, features: Features, points: Tensor, code: Tensor | None = None) -> Rendered:
        """Render the photo with the landmarks (B, P, 2).

        Args:
            code: (B, 24) expression; only models with painters use it.
        """
        flow, offset, occlusion, context, sketch = self.dense_motion(features, points)
        if self.matte is not None:
            flow = whole_head(flow, features.body, features.skull, points, features.points)
        half = warp(features.half, flow)

        x = warp(features.eighth, flow) * resize(occlusion[:, 0:1], features.eighth.shape[-1])
        x = self.bottleneck(torch.cat([x, context], 1))
        x = self.up_quarter(double(x))
        x = self.merge_quarter(torch.cat([x, warp(features.quarter, flow) * occlusion[:, 1:2], sketch], 1))
        x = self.up_half(double(x))
        kept = half[:, :-3] * resize(occlusion[:, 2:3], half.shape[-1])
        x = self.merge_half(torch.cat([x, kept, half[:, -3:]], 1))
        layers = F.pixel_shuffle(self.paint(x), 2)
        side = layers.shape[-1]
        pixels = coordinate_grid(side, side, points.device).permute(2, 0, 1).flatten(1)
        alpha = torch.sigmoid(layers[:, 3:] + 1)
        if self.regions is None:
            alpha = alpha * (1 - opened_mouth(features.points, points, pixels).reshape(-1, 1, side, side))
        if self.matte is not None:
            alpha = torch.maximum(alpha, resize(beyond_face(points, flow.shape[-1]), side))
        layers = enlarge(self.blur(torch.cat([torch.sigmoid(layers[:, :3]), alpha], 1)), self.config.detail)
        painted, alpha = layers[:, :3], layers[:, 3:]
        grid = resize(flow, features.image.shape[-1])
        # Beyond the photo's sides it is mirrored: hair continues as hair, not as stripes. Above it is not,
        # which would show a head upside down.
        below_top = torch.cat([grid[:, :1], grid[:, 1:].clamp_min(-1)], 1)
        moved = warp(torch.cat([features.image, features.person], 1), below_top, beyond="reflection")
        warped, person = moved[:, :3], moved[:, 3:]
        image = alpha * warped + (1 - alpha) * painted
        if self.regions is not None and code is not None:
            image = paste(image, self.regions(features.regions, look_at(features.image), flow, points, code))
        colours = image
        if self.matte is not None:
            image = person * colours + (1 - person) * features.background
        return Rendered(image, warped, alpha, flow, offset, painted, colours, grid)

    def forward(self, image: Tensor, source_points: Tensor, driving_points: Tensor) -> Rendered:
        return self.decode(self.encode(image, source_points), driving_points)

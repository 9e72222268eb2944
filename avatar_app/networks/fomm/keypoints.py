"""Key-point detector of the First Order Motion Model.

From a picture to key points with local affine frames, learned without labels (section 3.1; network in A.1).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_app.networks.blocks import AntiAliasDownscale, Hourglass
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.grid import coordinate_grid


class KeyPointTensors(NamedTuple):
    """Key points of a batch, float32.

    Attributes:
        value: (B, K, 2) in [-1, 1], x first.
        jacobian: (B, K, 2, 2), or None in a zero-order model.
    """

    value: Tensor
    jacobian: Tensor | None = None


class KeyPointDetector(nn.Module):
    """Detects key points as the means of heat maps.

    A Jacobian is the mean of a Jacobian map under the same weights.
    """

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        part = config.kp_detector_params
        self.temperature = part.temperature
        self.predictor = Hourglass(
            config.num_channels, part.block_expansion, part.max_features, part.num_blocks
        )
        self.kp = nn.Conv2d(self.predictor.features, config.num_kp, 7, padding=part.pad)
        self.jacobian: nn.Conv2d | None = None
        if config.estimate_jacobian:
            maps = 1 if part.single_jacobian_map else config.num_kp
            self.jacobian = nn.Conv2d(self.predictor.features, 4 * maps, 7, padding=part.pad)
            # Every frame starts as the identity, that is, as pure translation.
            nn.init.zeros_(self.jacobian.weight)
            with torch.no_grad():
                self.jacobian.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 1.0] * maps))  # type: ignore[union-attr]
        self.down = (
            AntiAliasDownscale(config.num_channels, part.scale_factor)
            if part.scale_factor != 1
            else nn.Identity()
        )

    def forward(self, picture: Tensor) -> KeyPointTensors:
        """Detect key points in a picture (B, C, H, W) in [0, 1]."""
        features = self.predictor(self.down(picture))
        logits = self.kp(features).float()
        batch, count, height, width = logits.shape
        heat = functional.softmax(logits.flatten(2) / self.temperature, dim=2).view(
            batch, count, height, width
        )
        grid = coordinate_grid(height, width, picture.device)
        value = (heat[..., None] * grid).sum(dim=(2, 3))
        if self.jacobian is None:
            return KeyPointTensors(value)
        maps = self.jacobian(features).float().view(batch, -1, 4, height, width)
        jacobian = (heat[:, :, None] * maps).sum(dim=(3, 4)).view(batch, count, 2, 2)
        return KeyPointTensors(value, jacobian)

"""Losses on pictures (B, 3, S, S) in [0, 1] and landmarks (B, P, 2) in [-1, 1]."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.errors import ConfigError
from avatar_app.landmarks import BROWS, EYES, LEFT_PUPIL, LIPS, RIGHT_PUPIL, indices
from avatar_app.text import Text

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FeatureNetwork(nn.Module):
    """Frozen VGG-19 features for the perceptual loss (FOMM section 3.3).

    Taps are relu1_1, 2_1, 3_1, 4_1 and 5_1. Reads torchvision's ``vgg19`` state dict (``features.N.weight``)
    or the distilled one (``convXY.weight`` under ``model``), by the names.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            message = Text("The feature network {} cannot be read: {}.", path, error)
            raise ConfigError(message, Text("Give torchvision's vgg19 file or a distilled one.")) from error
        weights = weights.get("model", weights)
        self.distilled = "conv0.weight" in weights
        names = list(self._names(weights))
        layers = []
        for name in names:
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2])
            layer.weight.data.copy_(weight)
            layer.bias.data.copy_(bias)  # type: ignore[union-attr]
            layers.append(layer)
        self.layers = nn.ModuleList(layers).requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def _names(self, weights: dict[str, Tensor]) -> list[str]:
        if self.distilled:
            return [
                "conv0",
                *[
                    f"conv{block}{i}"
                    for block, count in ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))
                    for i in range(1, count + 1)
                ],
            ]
        names = [f"features.{i}" for i in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)]  # not landmarks
        if f"{names[0]}.weight" not in weights:
            raise ConfigError(
                Text("The feature network has neither torchvision's nor the distilled VGG-19's layers."),
                Text("Check the path."),
            )
        return names

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return five feature maps, at 1, 1/2, 1/4, 1/8, 1/16 of the side."""
        layers = list(self.layers)
        if self.distilled:
            x = layers.pop(0)(picture)
        else:
            x = (picture - self.mean) / self.std
        taps = []
        for index, layer in enumerate(layers):
            x = F.pad(x, (1, 1, 1, 1), mode="reflect") if self.distilled else F.pad(x, (1, 1, 1, 1))
            x = F.relu(layer(x))
            if index in (0, 2, 4, 8, 12):
                taps.append(x)
            if index in (1, 3, 7, 11):
                x = F.max_pool2d(x, 2)
        return taps


def relative_distance(features: list[Tensor], targets: list[Tensor]) -> Tensor:
    """Return the mean over taps of |a - b| / mean |b|.

    No tap dominates, whatever its scale.
    """
    terms = [(a - b).abs().mean() / (b.abs().mean() + 1e-3) for a, b in zip(features, targets, strict=True)]
    return torch.stack(terms).mean()


def pyramid_perceptual(
    network: FeatureNetwork, picture: Tensor, target: Tensor, scales: list[float], weights: list[float]
) -> Tensor:
    """Return the original's perceptual loss.

    L1 of five feature maps at each scale of an anti-aliased pyramid.
    """
    total = picture.new_zeros(())
    for scale in scales:
        size = round(picture.shape[-1] * scale)
        small, goal = (
            F.interpolate(x, size=(size, size), mode="bilinear", antialias=True) if scale != 1 else x
            for x in (picture, target)
        )
        with torch.no_grad():
            goals = network(goal)
        for weight, feature, wanted in zip(weights, network(small), goals, strict=True):
            total = total + weight * (feature - wanted).abs().mean()
    return total


# Brows; lids and irises; inner and outer lips: small in the picture, but the viewer looks at them.
EXPRESSIVE = indices(BROWS, EYES, RIGHT_PUPIL, LEFT_PUPIL, LIPS)


def face_weight(points: Tensor, size: int, gain: float) -> Tensor:
    """Return a weight for each pixel, (B, 1, size, size).

    1 in general, up to 1 + gain around brows, eyes and mouth.
    """
    cells = size // 4
    line = torch.linspace(-1, 1, cells, device=points.device)
    chosen = points[:, list(EXPRESSIVE)]
    across = torch.exp(-0.5 * ((line - chosen[..., 0:1]) / 0.06) ** 2)
    down = torch.exp(-0.5 * ((line - chosen[..., 1:2]) / 0.06) ** 2)
    near = (down[..., :, None] * across[..., None, :]).amax(1, keepdim=True)
    return 1 + gain * F.interpolate(near, size=(size, size), mode="bilinear", align_corners=True)


def weighted_l1(picture: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return ((picture - target).abs() * weight).sum() / (weight.sum() * picture.shape[1] + 1e-6)


def cut(picture: Tensor, center: Tensor, side: int) -> Tensor:
    """Cut squares of ``side`` pixels at native resolution around centers (B, 2).

    Centers are in [-1, 1]; squares are kept inside the picture.
    """
    size = picture.shape[-1]
    corner = ((center + 1) / 2 * size - side / 2).round().clamp(0, size - side).long()
    return torch.stack(
        [image[:, y : y + side, x : x + side] for image, (x, y) in zip(picture, corner.tolist(), strict=True)]
    )

"""What a smile does to the light on a face, for PyTorch: what `avatar_app.compositing.creases` does in bytes, and says what it is for.

Shapes: B batch, S the picture's side, P landmarks (B, P, 2) in [-1, 1], x first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.compositing.creases import DEEPER, DEPTHS, LEAST, MARKS, MOST, NONE, STEP, WEIGHTS
from avatar_app.compositing.teeth import FLAT
from avatar_app.landmarks import CAMERA, MEAN_FACE


def no_creases(image: Tensor) -> Tensor:
    """The layer (B, 1, S, S) of photos (B, 3, S, S) over which no map was laid: no change anywhere, but for a rounding."""
    return torch.full_like(image[:, :1], NONE / 255)


def smile_of(points: Tensor) -> Tensor:
    """(B, 1, 1, 1), as `avatar_app.compositing.creases.smile_of`."""
    fit, depths, weights = (
        torch.tensor(part, device=points.device, dtype=points.dtype) for part in (CAMERA, DEPTHS, WEIGHTS)
    )
    camera = points[:, list(MEAN_FACE)].transpose(1, 2) @ fit
    sums = (points[:, MARKS] - depths[:, None] * camera[:, None, :, 2]).transpose(1, 2) @ weights
    a, b, c, d = camera[:, 0, 0], camera[:, 0, 1], camera[:, 1, 0], camera[:, 1, 1]
    smile = d * sums[:, 0, 0] - b * sums[:, 1, 0] - c * sums[:, 0, 1] + a * sums[:, 1, 1]
    return (smile / (a * d - b * c).clamp_min(FLAT))[:, None, None, None]


def show_creases(picture: Tensor, layer: Tensor, places: Tensor, still: Tensor, pose: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) lit as their poses smile.

    Args:
        layer: (B, 1, S, S) in [0, 1], the maps laid over photos.
        places: (B, 2, S, S) in [-1, 1], from which of the photo each pixel was moved.
        still, pose: (B, P, 2), of photos and poses.
    """
    more = (smile_of(pose) - smile_of(still)).clamp(LEAST, MOST)
    laid = F.grid_sample(
        layer,
        places.permute(0, 2, 3, 1).to(layer.dtype),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )
    light: Tensor = picture * torch.exp(more * (DEEPER * STEP) * (255 * laid - NONE))
    return light.clamp(0, 1)

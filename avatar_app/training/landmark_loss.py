"""Landmark loss: a frozen network must read equal expressions in both pictures.

L1 and perceptual losses hardly notice a lid that stays open: it is thirty pixels of a picture. A landmark
network looks at little else.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app import landmarks as marks
from avatar_app.errors import ConfigError
from avatar_app.faces.crop import REGION_SCALE
from avatar_app.networks.faces import LANDMARK_SIDE, LandmarkNet
from avatar_app.text import Text

# Landmarks that move with the expression; the others follow the head, which the other losses cover.
EXPRESSIVE = marks.indices(marks.BROWS, marks.EYES, marks.RIGHT_PUPIL, marks.LEFT_PUPIL, marks.LIPS)

# Openings, as pairs of landmarks: lids, lips inside and outside, mouth corners, brow to eye.
GAPS = (
    *marks.LID_PAIRS.tolist(),
    *marks.LIP_PAIRS.tolist(),
    (marks.UPPER_LIP, marks.LOWER_LIP),
    (marks.MOUTH_RIGHT, marks.MOUTH_LEFT),
    (marks.RIGHT_BROW_MIDDLE, marks.RIGHT_LID),
    (marks.LEFT_BROW_MIDDLE, marks.LEFT_LID),
)


class LandmarkReader(nn.Module):
    """The frozen landmark network of a ``training.faces`` run."""

    local: Tensor

    def __init__(self, checkpoint: Path) -> None:
        super().__init__()
        try:
            saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
            self.network = LandmarkNet()
            self.network.load_state_dict(saved.get("average", saved))
        except (OSError, RuntimeError, ValueError, EOFError, AttributeError) as error:
            message = Text("The landmark network {} cannot be read: {}.", checkpoint, error)
            raise ConfigError(
                message, Text("Give the landmarks.pt that python -m avatar_app.training.faces wrote.")
            ) from error
        self.network.requires_grad_(False).eval()
        line = (torch.arange(LANDMARK_SIDE) * 2 + 1) / LANDMARK_SIDE - 1
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("local", torch.stack([x, y], -1), persistent=False)

    def train(self, mode: bool = True) -> LandmarkReader:
        """Stay in evaluation mode, since batch norms are frozen too."""
        return super().train(False)

    def forward(self, picture: Tensor, points: Tensor) -> Tensor:
        """Read landmarks (B, 88, 2) in pictures (B, 3, S, S).

        In units of the region around ``points`` (B, 88, 2), which are in [-1, 1].
        """
        center, axes = region(points)
        grid = center[:, None, None] + self.local[None] @ axes[:, None]
        crop = F.grid_sample(picture, grid, padding_mode="border", align_corners=True)
        out: Tensor = self.network(crop).points[..., :2]
        return out


def region(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return centre (B, 2) and half axes (B, 2, 2) of the square around each face.

    Upright; one axis a row.
    """
    across = points[:, marks.LEFT_EYE_OUTER] - points[:, marks.RIGHT_EYE_OUTER]
    axis = across / across.norm(dim=1, keepdim=True).clamp_min(1e-6)
    axes = torch.stack([axis, torch.stack([-axis[:, 1], axis[:, 0]], 1)], 1)
    upright = points @ axes.transpose(1, 2)
    low, high = upright.amin(1), upright.amax(1)
    center = ((low + high) / 2)[:, None] @ axes
    half = (high - low).amax(1) * REGION_SCALE / 2
    return center[:, 0], axes * half[:, None, None]


def landmark_distance(shown: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean distance of expression landmarks plus that of openings.

    Both sets are (B, 88, 2).
    """
    chosen = list(EXPRESSIVE)
    position = (shown[:, chosen] - wanted[:, chosen]).abs().mean()
    first, second = zip(*GAPS, strict=True)
    opening = [(x[:, list(first)] - x[:, list(second)]) for x in (shown, wanted)]
    return position + 2 * (opening[0] - opening[1]).abs().mean()

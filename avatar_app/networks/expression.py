"""Read an expression code from the driver's mouth and eyes.

A few numbers that say what 88 landmarks cannot.

12 numbers for the mouth (teeth, tongue, dark), 6 for each eye (gaze, lids). They hold no picture: networks
that paint (`painters`) put them into any face. Numbers are in [-1, 1]; all 0 stands for "not known".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avatar_app.networks.blocks import conv
from avatar_app.networks.regions import EYE, MOUTH, Region, crop, frames


class CodeReader(nn.Module):
    """Crop of one region (B, 3, h, w) in [0, 1] -> its code (B, codes)."""

    def __init__(self, region: Region, widths: tuple[int, int, int, int] = (24, 48, 64, 80)) -> None:
        super().__init__()
        width, height = region.read
        first, second, third, fourth = widths
        self.tower = nn.Sequential(
            conv(3, first, 3, 2),
            conv(first, second, 3, 2),
            conv(second, third, 3, 2),
            conv(third, fourth, 3, 1),
            conv(fourth, fourth // 2, 1, 1),
        )
        self.last = nn.Linear(fourth // 2 * (width // 8) * (height // 8), region.codes)

    def forward(self, picture: Tensor) -> Tensor:
        return torch.tanh(self.last(self.tower(picture * 2 - 1).flatten(1)))


class ExpressionReader(nn.Module):
    """A whole face's code from a picture of it and its landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.mouth, self.eye = CodeReader(MOUTH), CodeReader(EYE)

    def forward(self, picture: Tensor, points: Tensor) -> Tensor:
        """Return codes (B, 24) of pictures (B, 3, H, W) in [0, 1].

        Landmarks (B, 88, 2) are in [-1, 1] of them.
        """
        lips = self.mouth(crop(picture, frames(MOUTH, points, reading=True), *MOUTH.read))
        right, left = (
            self.eye(crop(picture, frames(EYE, points, mirrored, reading=True), *EYE.read))
            for mirrored in (False, True)
        )
        return torch.cat([lips, right, left], 1)

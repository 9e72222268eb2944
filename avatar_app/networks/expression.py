"""Read an expression code from the driver's mouth and eyes.

A few numbers that say what 88 landmarks cannot.

12 numbers for the mouth (teeth, tongue, dark), 6 for each eye (gaze, lids). They hold no picture: networks
that paint (`painters`) put them into any face. Numbers are in [-1, 1]; all 0 stands for "not known".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avatar_app.networks.blocks import conv
from avatar_app.networks.regions import EYE, MOUTH, Region, RegionSketch, crop, frames, region_points


class CodeReader(nn.Module):
    """Read one region's code (B, codes) from its crop and its landmarks.

    The crop is (B, 3, h, w) in [0, 1]; the landmarks (B, 88, 2) in it are drawn beside it, since the code is
    relative to them: the painter knows only landmarks and code.
    """

    def __init__(self, region: Region, widths: tuple[int, int, int, int] = (32, 64, 96, 96)) -> None:
        super().__init__()
        width, height = region.read
        first, second, third, fourth = widths
        self.sketch = RegionSketch(region, width, height)
        self.tower = nn.Sequential(
            conv(3 + len(region.strokes) + 1, first, 3, 2),
            conv(first, second, 3, 2),
            conv(second, third, 3, 2),
            conv(third, fourth, 3, 1),
            conv(fourth, fourth // 2, 1, 1),
        )
        self.last = nn.Linear(fourth // 2 * (width // 8) * (height // 8), region.codes)

    def forward(self, picture: Tensor, points: Tensor) -> Tensor:
        return self.code(torch.cat([picture * 2 - 1, self.sketch(points)], 1))

    def code(self, seen: Tensor) -> Tensor:
        """Read a code from colours in [-1, 1] and the sketch, as channels."""
        return torch.tanh(self.last(self.tower(seen).flatten(1)))


class ExpressionReader(nn.Module):
    """A whole face's code from a picture of it and its landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.mouth, self.eye = CodeReader(MOUTH), CodeReader(EYE)

    def forward(self, picture: Tensor, points: Tensor) -> Tensor:
        """Return codes (B, 24) of pictures (B, 3, H, W) in [0, 1].

        Landmarks (B, 88, 2) are in [-1, 1] of them.
        """
        parts = ((self.mouth, MOUTH, False), (self.eye, EYE, False), (self.eye, EYE, True))
        codes = []
        for reader, region, mirrored in parts:
            frame = frames(region, points, mirrored, reading=True)
            seen = crop(picture, frame, *region.read)
            codes.append(reader(seen, region_points(points, frame, mirrored)))
        return torch.cat(codes, 1)

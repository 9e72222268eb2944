"""Regions of a face in the order that is fastest on processors.

The same as `networks.regions` in fewer operations, each of which costs microseconds however small it is: all
landmarks that any region needs are selected by one matrix product, all frames are computed at once, and
sketches are stamped (`photo.Sketch`) instead of drawn in full for each dot.

Shapes: without batch unless it says (B, ...). Regions are mouth, right eye and left eye, the last in mirrored
coordinates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avatar_app.landmarks import COUNT, LEFT_EYE_OUTER, MIRRORED, NOSE_BASE, NOSE_TOP, RIGHT_EYE_OUTER
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.regions import (
    EYE,
    MOUTH,
    NOSE_LENGTHS,
    Region,
    RegionSketch,
    gap_ends,
    stroke_dots,
)
from avatar_app.onnx_export.photo import REACH, stamped

REGIONS = (MOUTH, EYE, EYE)

EYES = len(REGIONS) - 1


class Places(nn.Module):
    """Positions of all regions for landmarks (COUNT, 2).

    Returns the frames with columns as rows, (3, 3, 2): axis x, axis y, middle; and the landmarks of the
    sketches in their crops, (1, n, 2) of the mouth and (2, n, 2) of the eyes: dots, then ends of the gap.
    """

    select: Tensor
    signs: Tensor
    picture: Tensor
    sizes: Tensor
    lengths: Tensor
    turn: Tensor

    def __init__(self, reading: bool = False) -> None:
        super().__init__()
        one = torch.eye(COUNT)
        mirrored = one[list(MIRRORED)]
        points = list(zip(REGIONS, (one, one, mirrored), strict=True))
        ends = [own[region.corners[1]] - own[region.corners[0]] for region, own in points]
        face = [one[LEFT_EYE_OUTER] - one[RIGHT_EYE_OUTER], one[NOSE_BASE] - one[NOSE_TOP]]
        middles = [own[list(region.centre)].mean(0) for region, own in points]
        drawn = [drawn_points(region) @ own for region, own in points]
        self.counts = [len(ends) + len(face), len(middles), *map(len, drawn)]
        select = torch.cat([torch.stack([*ends, *face, *middles]), *drawn])
        self.register_buffer("select", select, persistent=False)
        left = torch.tensor([-1.0, 1.0])
        signs = torch.ones(len(select), 2)
        signs[EYES] = signs[sum(self.counts[:2]) - 1] = left
        signs[len(signs) - len(drawn[-1]) :] = left
        self.register_buffer("signs", signs, persistent=False)
        picture = torch.stack([signs[0], signs[0], left])[:, None]
        self.register_buffer("picture", picture, persistent=False)
        sizes = []
        for region in REGIONS:
            (width, height), reach = (
                (region.read, region.read_reach) if reading else ((region.width, region.height), region.reach)
            )
            tall = reach * (height - 1) / (width - 1)
            sizes.append([reach, tall, region.lift * tall])
        self.register_buffer("sizes", torch.tensor(sizes), persistent=False)
        self.register_buffer("lengths", torch.tensor([[1.0], [NOSE_LENGTHS]]), persistent=False)
        self.register_buffer("turn", torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), persistent=False)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        vectors, middles, *drawn = torch.split((self.select @ points) * self.signs, self.counts)
        lengths = vectors.norm(dim=1, keepdim=True).clamp_min(1e-4)
        own, face = torch.split(lengths, [len(REGIONS), len(self.lengths)])
        along = vectors[: len(REGIONS)] / own
        across = along @ self.turn
        scales = self.sizes * (face * self.lengths).amax(0, keepdim=True)
        middles = middles - scales[:, 2:] * across
        units, halves = torch.stack([along, across], 1), scales[:, :2, None]
        frames = torch.cat([units * halves, middles[:, None]], 1) * self.picture
        inwards = (units / halves).transpose(1, 2)
        mouth = (drawn[0] - middles[0]) @ inwards[:1]
        eyes = (torch.stack(drawn[1:]) - middles[1:, None]) @ inwards[1:]
        return frames, mouth, eyes


def drawn_points(region: Region) -> Tensor:
    """Return (n, COUNT): landmarks times it are dots and ends of the gap."""
    return torch.cat([*map(stroke_dots, region.strokes), torch.eye(COUNT)[gap_ends(region)]])


class Stamps(nn.Module):
    """`regions.RegionSketch` of several faces, from their `Places`.

    (B, n, 2) -> (B, strokes + 1, height, width).
    """

    first_row: Tensor
    rows: Tensor
    line: Tensor
    cells: Tensor

    def __init__(self, region: Region, width: int, height: int, copies: int) -> None:
        super().__init__()
        self.opened = RegionSketch(region, width, height)
        self.size = (copies, len(region.strokes), height, width)
        counts = [len(stroke_dots(stroke)) for stroke in region.strokes]
        self.counts = [sum(counts), len(gap_ends(region))]
        strokes = torch.arange(copies * len(counts)).repeat_interleave(torch.tensor(counts * copies))
        self.register_buffer("first_row", strokes[:, None].float() * height, persistent=False)
        self.register_buffer("rows", torch.arange(-REACH, REACH + 1).float()[None], persistent=False)
        self.register_buffer("line", torch.arange(width).float()[None], persistent=False)
        self.register_buffer("cells", torch.tensor([width - 1, height - 1]) / 2, persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        copies, strokes, height, _ = self.size
        dots, ends = torch.split(points, self.counts, 1)
        across, down = torch.split(((dots + 1) * self.cells).reshape(-1, 2), 1, 1)
        rows = (torch.round(down) + self.rows).clamp(0, height - 1)
        rows = torch.where(rows >= 0, rows, torch.zeros_like(rows))  # NaNs
        drawn = stamped(rows, down, self.line - across, self.first_row, copies * strokes * height)
        return torch.cat([drawn.reshape(self.size), self.opened.between(ends)], 1)


def affine_grid(height: int, width: int) -> Tensor:
    """Return (height * width, 3): positions of a crop's pixels, and 1.

    Times the frames of `Places` they are positions in the picture.
    """
    grid = coordinate_grid(height, width).reshape(-1, 2)
    return torch.cat([grid, torch.ones(len(grid), 1)], 1)

"""Regions of a face (mouth and eyes), and sketches of landmarks in them.

A region is an upright rectangle that moves, turns and grows with the face but not with the expression: an
opening mouth or a blink changes its content, not its frame. The left eye is read and painted mirrored, so
that one network serves both.

Positions are in [-1, 1], x first, with -1 and 1 the centres of the outer pixels, both of the picture and of a
region's crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.landmarks import (
    COUNT,
    INNER_LIPS,
    JAW,
    LEFT_EYE_OUTER,
    MIRRORED,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    NOSE_BASE,
    NOSE_TOP,
    NOSTRILS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    RIGHT_IRIS,
)
from avatar_app.networks.grid import coordinate_grid

_ALL = tuple(range(COUNT))
_OUTER, _INNER, _EYE, _IRIS = _ALL[OUTER_LIPS], _ALL[INNER_LIPS], _ALL[RIGHT_EYE], _ALL[RIGHT_IRIS]

NOSE_LENGTHS = 1.75
"""A face's size is the distance between the outer corners of its eyes or, in profile, this many nose
lengths.
"""


@dataclass(frozen=True, slots=True)
class Region:
    """One kind of region.

    Attributes:
        width, height: of its painted crop, pixels; multiples of 16.
        reach: half its width in sizes of the face.
        centre: the landmarks whose mean is its middle; corners: two that define its rotation.
        lift: its height above that middle, in half heights.
        strokes: landmarks drawn as lines, one channel each.
        gap: upper and lower edge of the opening, between the same two corners.
        codes: numbers of the expression code that belong to it.
        read: width and height of the crop from which the code is read.
        read_reach: half the width of that crop, in sizes of the face.
    """

    width: int
    height: int
    reach: float
    centre: tuple[int, ...]
    corners: tuple[int, int]
    lift: float
    strokes: tuple[tuple[int, ...], ...]
    gap: tuple[tuple[int, ...], tuple[int, ...]]
    codes: int
    read: tuple[int, int]
    read_reach: float


MOUTH = Region(
    width=128,
    height=96,
    reach=0.6,
    centre=_OUTER,
    corners=(MOUTH_RIGHT, MOUTH_LEFT),
    lift=0.0,
    strokes=(
        _OUTER[:7],
        (*_OUTER[6:], _OUTER[0]),
        _INNER[:5],
        (*_INNER[4:], _INNER[0]),
        _ALL[JAW][2:15],
        _ALL[NOSTRILS],
    ),
    gap=(_INNER[:5], (_INNER[0], *_INNER[:3:-1])),
    codes=12,
    read=(64, 48),
    read_reach=0.46,
)

EYE = Region(
    width=64,
    height=64,
    reach=0.33,
    centre=(RIGHT_EYE_OUTER, RIGHT_EYE_INNER),
    corners=(RIGHT_EYE_OUTER, LEFT_EYE_OUTER),
    lift=0.2,
    strokes=(_EYE[:4], (*_EYE[3:], _EYE[0]), _ALL[RIGHT_BROW], _IRIS[:1], _IRIS[1:]),
    gap=(_EYE[:4], (_EYE[0], *_EYE[:2:-1])),
    codes=6,
    read=(48, 48),
    read_reach=0.31,
)

CODES = MOUTH.codes + 2 * EYE.codes
"""Length of a whole expression code: mouth, right eye, left eye."""

BETWEEN = 3
"""Dots from one landmark of a stroke to the next."""


def face_size(points: Tensor) -> Tensor:
    """Return the size (B, 1) in the unit of the points (B, 88, 2).

    A measure that turns, nods and expressions change little.
    """
    across = (points[:, LEFT_EYE_OUTER] - points[:, RIGHT_EYE_OUTER]).norm(dim=1, keepdim=True)
    nose = (points[:, NOSE_BASE] - points[:, NOSE_TOP]).norm(dim=1, keepdim=True)
    return torch.maximum(across, NOSE_LENGTHS * nose).clamp_min(1e-4)


def frames(region: Region, points: Tensor, mirrored: bool = False, reading: bool = False) -> Tensor:
    """Return affine maps (B, 2, 3) from a region's crop to the picture.

    Landmarks are (B, 88, 2).

    Args:
        mirrored: the region is of the other half of the face.
        reading: the crop from which the code is read, not the painted one.
    """
    if mirrored:
        x, y = points[:, list(MIRRORED)].unbind(2)
        across, down = frames(region, torch.stack([-x, y], 2), reading=reading).unbind(1)
        return torch.stack([-across, down], 1)
    width, height = region.read if reading else (region.width, region.height)
    along = points[:, region.corners[1]] - points[:, region.corners[0]]
    along = along / along.norm(dim=1, keepdim=True).clamp_min(1e-4)
    across = torch.stack([-along[:, 1], along[:, 0]], 1)
    half = (region.read_reach if reading else region.reach) * face_size(points)
    tall = half * ((height - 1) / (width - 1))
    centre = points[:, list(region.centre)].mean(1) - region.lift * tall * across
    return torch.stack([half * along, tall * across, centre], 2)


def to_picture(positions: Tensor, frame: Tensor) -> Tensor:
    """Convert positions (B, N, 2) or (N, 2) of a crop to positions of the picture."""
    return positions @ frame[:, :, :2].transpose(1, 2) + frame[:, None, :, 2]


def to_crop(points: Tensor, frame: Tensor) -> Tensor:
    """Invert `to_picture` for points (B, N, 2)."""
    x, y = frame[:, :, 0], frame[:, :, 1]
    away = points - frame[:, None, :, 2]
    # The axes are perpendicular: projections on them are the coordinates.
    axes = torch.stack([x / (x * x).sum(1, keepdim=True), y / (y * y).sum(1, keepdim=True)], 2)
    return away @ axes


def region_points(points: Tensor, frame: Tensor, mirrored: bool = False) -> Tensor:
    """Return all landmarks (B, 88, 2) in a region's crop.

    In a mirrored region they have the numbers of their mirror images.
    """
    return to_crop(points[:, list(MIRRORED)] if mirrored else points, frame)


def sample(picture: Tensor, positions: Tensor, width: int, height: int) -> Tensor:
    """Sample pictures (B, C, H, W) at positions (B, height * width, 2).

    Returns (B, C, height, width). Beyond their sides it takes the nearest pixel.
    """
    grid = positions.reshape(-1, height, width, 2)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=True)


def crop(picture: Tensor, frame: Tensor, width: int, height: int) -> Tensor:
    """Cut the crop of a frame (B, 2, 3) out of pictures (B, C, H, W).

    Returns (B, C, height, width).
    """
    grid = coordinate_grid(height, width, picture.device).reshape(-1, 2)
    return sample(picture, to_picture(grid, frame), width, height)


class RegionSketch(nn.Module):
    """Draws a region's landmarks: lines, and the opening between its edges.

    Returns (B, strokes + 1, height, width).
    """

    dots: Tensor
    ends: Tensor
    across: Tensor
    down: Tensor

    def __init__(self, region: Region, width: int, height: int) -> None:
        super().__init__()
        self.strokes, self.gap = len(region.strokes), len(region.gap[0]) - 1
        self.most = max(map(len, region.strokes)) * BETWEEN - BETWEEN + 1
        self.register_buffer("dots", _dots(region.strokes, self.most), persistent=False)
        self.register_buffer("ends", torch.tensor(gap_ends(region)), persistent=False)
        self.register_buffer("across", torch.linspace(-1, 1, width), persistent=False)
        self.register_buffer("down", torch.linspace(-1, 1, height), persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        """Draw landmarks (B, 88, 2) of the crop."""
        dots = (self.dots @ points).reshape(-1, self.strokes, self.most, 2)
        across, down = _bells(self.across, dots[..., :1]), _bells(self.down, dots[..., 1:])
        lines = (down[..., :, None] * across[..., None, :]).amax(2)
        return torch.cat([lines, self.opening(points)], 1)

    def opening(self, points: Tensor) -> Tensor:
        """Return how far each pixel lies in the gap, 0 to 1, (B, 1, height, width)."""
        return self.between(points[:, self.ends])

    def between(self, ends: Tensor) -> Tensor:
        """Return the same from the `gap_ends` alone, (B, n, 2)."""
        left, right = ends.reshape(-1, 2, 2, self.gap, 2).unbind(1)
        width = (right[..., :1] - left[..., :1]).clamp_min(1e-3)
        share = (self.across - left[..., :1]) / width
        here = ((share >= 0) & (share < 1)).to(ends.dtype)
        edges = (here * (left[..., 1:] + share * (right[..., 1:] - left[..., 1:]))).sum(2)
        reached = here.amax(2).prod(1)
        upper, lower = edges[:, :1, None], edges[:, 1:, None]
        steep = len(self.down) - 1
        between = torch.sigmoid((self.down[:, None] - upper) * steep) * torch.sigmoid(
            (lower - self.down[:, None]) * steep
        )
        return between * reached[:, None, None]


def _bells(line: Tensor, place: Tensor) -> Tensor:
    return torch.exp((-0.5 * ((line - place) * ((len(line) - 1) / 2)) ** 2).clamp_min(-30))


def _dots(strokes: tuple[tuple[int, ...], ...], most: int) -> Tensor:
    """Return (strokes * most, COUNT): landmarks times it are dots along each stroke.

    Short strokes repeat their last one.
    """
    drawn = map(stroke_dots, strokes)
    return torch.cat([torch.cat([dots, dots[-1:].expand(most - len(dots), -1)]) for dots in drawn])


def stroke_dots(stroke: tuple[int, ...]) -> Tensor:
    """Return (dots, COUNT): landmarks times it are dots along one stroke."""
    dots = torch.zeros(len(stroke) * BETWEEN - BETWEEN + 1, COUNT)
    for index, row in enumerate(dots):
        step, part = divmod(index, BETWEEN)
        row[stroke[step]] += 1 - part / BETWEEN
        if part:
            row[stroke[step + 1]] += part / BETWEEN
    return dots


def gap_ends(region: Region) -> list[int]:
    """Return the landmarks between which the edges of a region's opening run.

    Left ends of the upper edge's sections, of the lower edge's, then right ends of both.
    """
    return [point for ends in (slice(-1), slice(1, None)) for edge in region.gap for point in edge[ends]]


@cache
def sketch_of(region: Region, width: int, height: int) -> RegionSketch:
    """Return the sketch of a region on the processor."""
    return RegionSketch(region, width, height)

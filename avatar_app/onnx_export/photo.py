"""Compute a photo's features in the form that `anchored.PhotoRenderer` reads."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avatar_app.networks.anchored.config import SKETCH_GROUPS
from avatar_app.networks.anchored.dense_motion import face_scale
from avatar_app.networks.anchored.features import Features
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.graphs import to_bytes
from avatar_app.onnx_export.layers import highest_rows

FAINTEST = -30.0
"""Lower limit of exponents, so that no product of two bells is subnormal: those take a hundred times
as long.
"""

REACH = 6
"""Rows above and below over which a dot of the sketch is drawn; further out it is below a millionth."""

PHOTO_LAYERS = ("person", "background")
"""Outputs of `PhotoEncoder` beside `PhotoFeatures`."""


class PhotoFeatures(NamedTuple):
    """Everything that depends on the photo alone.

    The networks' inputs among `Features`, and precomputed parts of the sums.

    Attributes:
        sketch: (1, groups, s, s), the photo's own landmarks.
        anchors: (K, 2), relative to their mean.
        middle: (1, 2), their mean.
        near: (K + 1, K), weight of each anchor for the Jacobian of each; in the last row all alike.
        ridge: (1,), pull of each Jacobian towards the face's global map.
        body: (1, 1, s, s), alpha of the person.
        skull: (1, 2), the upper head's size.
        pixels: (S * S, 12), bytes, from `neighbours`; for painters a part of the photo. The rest: as in
            `Features`.
    """

    half: Tensor
    quarter: Tensor
    eighth: Tensor
    motion: Tensor
    points: Tensor
    sketch: Tensor
    anchors: Tensor
    middle: Tensor
    near: Tensor
    ridge: Tensor
    body: Tensor
    skull: Tensor
    pixels: Tensor
    mouth_half: Tensor
    mouth_quarter: Tensor
    mouth_eighth: Tensor
    eyes_half: Tensor
    eyes_quarter: Tensor
    eyes_eighth: Tensor


class PhotoEncoder(nn.Module):
    """Turn a photo's bytes and landmarks into `PhotoFeatures` and its layers.

    The layers are bytes: the person's alpha (1, S, S, 1) and the background (1, S, S, 3).
    """

    def __init__(self, generator: AnchoredGenerator) -> None:
        super().__init__()
        self.generator = generator
        self.sketch = Sketch(generator.config.size // 4)

    def forward(self, image: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        features: Features = self.generator.encode(image.permute(0, 3, 1, 2).float() / 255, points)
        anchors = points[0, self.generator.dense_motion.anchors]
        middle = anchors.mean(0, keepdim=True)
        centred = anchors - middle
        scale = face_scale(anchors[None])[0, 0, 0]
        distance = ((anchors[None] - anchors[:, None]) ** 2).sum(-1)
        near = torch.exp(-0.5 * distance / (0.3 * scale) ** 2)
        near = near / near.sum(1, keepdim=True)
        near = torch.cat([near, torch.full_like(near[:1], 1 / len(self.generator.dense_motion.anchors))])
        ridge = ((0.12 * scale) ** 2).reshape(1)
        own = (features.half, features.quarter, features.eighth, features.motion, features.points)
        later = (features.body, features.skull, neighbours(image), *features.regions)
        photo = PhotoFeatures(*own, self.sketch(points[0]), centred, middle, near, ridge, *later)
        layers = (features.person, features.background)
        return *photo, *(to_bytes(layer) for layer in layers)


def neighbours(image: Tensor) -> Tensor:
    """Return each pixel's bytes with those of its right, lower and lower right one.

    For a photo (1, S, S, 3): (S * S, 12). A row holds everything between four pixels: one look-up instead of
    a warp of ONNX Runtime's own, which takes four times as long.
    """
    right, below = (
        torch.cat([image[:, :, 1:], image[:, :, -1:]], 2),
        torch.cat([image[:, 1:], image[:, -1:]], 1),
    )
    both = torch.cat([below[:, :, 1:], below[:, :, -1:]], 2)
    return torch.cat([image, right, below, both], 3).reshape(-1, 12)


def between(pixels: Tensor, positions: Tensor) -> Tensor:
    """Sample the photo of `neighbours` at positions (1, h, w, 2).

    Colours (1, 3, h, w) in [0, 1]; beyond the sides those of the nearest pixel.
    """
    colours: Tensor = look_up(pixels, positions.reshape(-1, 2).t()) / 255
    return colours.reshape(1, 3, positions.shape[1], positions.shape[2])


def look_up(pixels: Tensor, positions: Tensor) -> Tensor:
    """Return the same in [0, 255], (3, N), at positions (2, N)."""
    side = math.isqrt(pixels.shape[0])
    position = ((positions + 1) * ((side - 1) / 2)).clamp(0, side - 1)
    position = torch.where(position >= 0, position, torch.zeros_like(position))  # NaNs
    corner = position.floor()
    x, y = torch.split(position - corner, 1)
    column, row = torch.split(corner, 1)
    found = pixels[(row * side + column)[0].long()].t().float()
    here, right, below, both = torch.split(found, 3)
    upper, lower = here + x * (right - here), below + x * (both - below)
    return upper + y * (lower - upper)


class Sketch(nn.Module):
    """`anchored.draw_sketch`: landmarks (P, 2) -> (1, groups, s, s)."""

    rows: Tensor
    line: Tensor
    first_row: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.points = [point for group in SKETCH_GROUPS for point in group]
        start = [index * side for index, group in enumerate(SKETCH_GROUPS) for _ in group]
        self.register_buffer("first_row", torch.tensor(start, dtype=torch.float32)[:, None], persistent=False)
        self.register_buffer(
            "rows", torch.arange(-REACH, REACH + 1, dtype=torch.float32)[None], persistent=False
        )
        self.register_buffer("line", torch.arange(side, dtype=torch.float32)[None], persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        cells = (points + 1) * ((self.side - 1) / 2)
        across, down = torch.split(cells[self.points], 1, 1)
        # A row beyond the edge is drawn as the edge's own row, possibly twice: the highest value counts.
        rows = (torch.round(down) + self.rows).clamp(0, self.side - 1)
        drawn = stamped(rows, down, self.line - across, self.first_row, len(SKETCH_GROUPS) * self.side)
        return drawn.reshape(1, len(SKETCH_GROUPS), self.side, self.side)


def stamped(rows: Tensor, down: Tensor, aside: Tensor, first_row: Tensor, height: int) -> Tensor:
    """Draw each of N dots into some rows of stacked sketches, (height, width).

    Args:
        rows: (N, n) numbers of the rows within the dot's own sketch.
        down: (N, 1) the dot's place among them; aside: (N, width) distances to it.
        first_row: (N, 1) of its sketch.
    """
    bells = _bell(rows - down)[:, :, None] * _bell(aside)[:, None]
    places = (rows + first_row).long().reshape(-1, 1)
    return highest_rows(places, bells.reshape(-1, aside.shape[1]), height)


def _bell(distance: Tensor) -> Tensor:
    return torch.exp((-0.5 * distance**2).clamp_min(FAINTEST))

"""Turn the upper head as a round body.

There are no landmarks above the forehead. Moved like the nearly flat forehead, hair would lean over like a
signboard and a bald head would become a cone. The head is therefore treated as half an ellipsoid, as wide and
high as the photo's matte shows it. When it turns, its outline moves with its middle; inside, pixels rotate
about the middle, and less towards the outline. A photo does not show what comes out from behind the head, so
the visible part is stretched over it. At the landmarks around the face this motion blends into theirs.

Shapes: B batch, P landmarks (B, P, 2) in [-1, 1], x first, s the side of the flow. Head coordinates are those
of `MEAN_FACE`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from avatar_app.landmarks import CAMERA, CHIN, FOREHEAD, LEFT_EAR, MEAN_FACE, RIGHT_EAR, UPPER_OVAL, indices
from avatar_app.networks.grid import coordinate_grid

MIDDLE = (0.0, -0.35, 1.1)
"""Middle of the skull in head coordinates: behind the brows, above the ears."""

DEPTH = 1.66
"""Distance from the middle to the brows."""

RIM = 0.85
"""Fraction of the outline beyond which nothing slides: stretching hair's soft edge would blur it."""

FARTHEST = 0.45
"""Largest turn in radians; beyond it, stretching towards the rim would show streaks."""

WIDTHS, HEIGHTS = (1.15, 2.0), (1.3, 2.4)
"""Limits of half a head's width with hair, and of its height above the middle."""

OUTLINE = indices(RIGHT_EAR, LEFT_EAR, UPPER_OVAL)
"""Landmarks at which the face's own motion begins."""

NEAR, FAINT = 0.16, 0.5
"""Radius around each of them within which its own motion counts, in face heights; weight of all others
there.
"""

SMALL = 0.05, 0.25
"""Sines of turns over which this motion fades in. In small turns hair moves with the forehead, and an
expression can look like a turn.
"""

UPPER_HEAD, TEMPLES = (1.0, 1.2), (0.75, 1.3)
"""Where the round head's motion fades in: half axes of the ellipse around the landmarks, and face heights
above the chin.
"""

BACK_HEAD, NECK, BACK, LARGE = (0.8, 0.95), (0.45, 0.85), (-0.3, 0.2), (0.2, 0.45)
"""The same for the back of the head, which a large turn uncovers behind the ear: region in half axes of the
round head, on the side away from the turn, and sines of the turns.
"""

FAINTEST = -30.0
"""Lower limit of exponents: products of smaller numbers would be subnormal, with which a processor is ten
times as slow.
"""


class View(NamedTuple):
    """A camera's view of a head.

    Attributes:
        rows: (B, 2, 3), scale times rotation.
        middle: (B, 2), middle of the skull in the picture.
    """

    rows: Tensor
    middle: Tensor

    def scale(self) -> Tensor:
        """Return the scale, (B, 1, 1)."""
        return (self.rows.square().sum((1, 2), keepdim=True) / 2).sqrt().clamp_min(1e-3)

    def ahead(self) -> Tensor:
        """Return viewing direction times squared scale, (B, 1, 3), in head coordinates."""
        (a, b, c), (d, e, f) = (row.unbind(1) for row in self.rows.unbind(1))
        return torch.stack([b * f - c * e, c * d - a * f, a * e - b * d], 1)[:, None]


def view(points: Tensor) -> View:
    """Fit the scaled orthographic camera that maps `MEAN_FACE` to landmarks.

    Least squares.
    """
    camera = points[:, list(MEAN_FACE)].transpose(1, 2) @ torch.tensor(
        CAMERA, device=points.device, dtype=points.dtype
    )
    middle = torch.tensor([*MIDDLE, 1.0], device=points.device, dtype=points.dtype)
    return View(camera[:, :, :3], (camera * middle).sum(2))


def in_plane(matrix: Tensor) -> Tensor:
    """Return the in-plane rotation nearest to a matrix, both (B, 2, 2)."""
    along = matrix[:, 0, 0] + matrix[:, 1, 1]
    across = matrix[:, 1, 0] - matrix[:, 0, 1]
    length = (along.square() + across.square()).sqrt().clamp_min(1e-6)
    cosine, sine = along / length, across / length
    return torch.stack([cosine, -sine, sine, cosine], 1).reshape(-1, 2, 2)


def skull_size(body: Tensor, points: Tensor) -> Tensor:
    """Measure heads with hair above the brows: half width and height (B, 2).

    Of half ellipses with the same moments.

    Args:
        body: (B, 1, s, s) alpha of the person.
        points: (B, P, 2), of the photo.
    """
    side = body.shape[-1]
    seen = view(points)
    positions = coordinate_grid(side, side, body.device).reshape(1, -1, 2) - seen.middle[:, None]
    right, down = (positions @ in_plane(seen.rows[:, :, :2]) / seen.scale()).unbind(2)
    here = (right.abs() < 1.2 * WIDTHS[1]) & (down < 0) & (down > -HEIGHTS[1])
    weight = body.flatten(1) * here
    total = weight.sum(1).clamp_min(1e-3)
    width = 2 * ((weight * right.square()).sum(1) / total).sqrt()
    height = 0.75 * math.pi * -(weight * down).sum(1) / total
    return torch.stack([width.clamp(*WIDTHS), height.clamp(*HEIGHTS)], 1)


class Turn(NamedTuple):
    """The turn of a pose's head relative to its photo's.

    In half axes of the rim, across and along the turn, the head is a unit disc.

    Attributes:
        to_disc, from_disc: (B, 2, 3), from the pose's picture to the disc, and from the disc to the photo.
        sine: (B, 1, 1), of the angle by which the face turns out of the picture.
        farthest: (B, 1, 1), the angle by which the middle of the round head slides.
    """

    to_disc: Tensor
    from_disc: Tensor
    sine: Tensor
    farthest: Tensor

    @classmethod
    def between(cls, pose: View, photo: View, skull: Tensor) -> Turn:
        """Compute the turn; ``skull`` is (B, 2) from `skull_size`."""
        upright = in_plane(photo.rows[:, :, :2])  # from the photo's directions to the head's
        swing = pose.ahead() @ photo.rows.transpose(1, 2) @ upright / (pose.scale() ** 2 * photo.scale())
        sine = _length(swing).clamp(1e-6, 0.7)
        cosine = (1 - sine.square()).sqrt()
        half = RIM * skull[:, :, None]
        towards = swing.transpose(1, 2) / _length(swing).clamp_min(1e-6) / half
        deep = RIM * DEPTH * towards.square().sum(1, keepdim=True).sqrt()
        towards = towards * (RIM * DEPTH / deep.clamp_min(1e-6))
        axes = torch.cat(
            [torch.stack([-towards[:, 1], towards[:, 0]], 1), towards], 2
        )  # columns: across, along
        stretch = torch.cat([torch.ones_like(sine), (cosine.square() + (deep * sine).square()).sqrt()], 1)
        plane = (
            upright.transpose(1, 2)
            @ in_plane(pose.rows @ photo.rows.transpose(1, 2)).transpose(1, 2)
            / pose.scale()
        )
        into = (axes.transpose(1, 2) / half.transpose(1, 2)) @ plane / stretch
        back = photo.scale() * upright @ (half * axes)
        to_disc = torch.cat([into, -into @ pose.middle[:, :, None]], 2)
        return cls(
            to_disc,
            torch.cat([back, photo.middle[:, :, None]], 2),
            sine,
            torch.atan(deep * sine / cosine).clamp_max(FARTHEST),
        )

    def shown(self, positions: Tensor) -> Tensor:
        """Map positions of the pose to positions in the photo, both (B, 2, N)."""
        across, along = torch.split(_affine(self.to_disc, positions), 1, 1)
        chord = (1 - across.square()).clamp_min(1e-3).sqrt()
        # A pixel at the angle a from the middle shows the point at a - turn cos(a); in the picture their
        # distance is a difference of sines.
        sine = (along / chord).clamp(-1, 1)
        cosine = (1 - sine.square()).clamp_min(0).sqrt()
        slid = self.farthest * cosine
        along = along + chord * (sine * (torch.cos(slid) - 1) - cosine * torch.sin(slid))
        return _affine(self.from_disc, torch.cat([across, along], 1))


def turned_skull(
    flow: Tensor, skull: Tensor, driving: Tensor, source: Tensor, distance: Tensor, above: Tensor
) -> Tensor:
    """Move the upper head in a flow (B, 2, s, s) as a round body, as far as it turns.

    Args:
        skull: (B, 2) from `skull_size`.
        driving, source: (B, P, 2), landmarks of the pose and of the photo.
        distance: (B, 1, s, s) from the middle of the landmarks, in half axes of the ellipse around them.
        above: (B, 1, s, s), height above the chin in face heights.
    """
    side, face = flow.shape[-1], list(OUTLINE)
    outline, wanted = (where[:, face].transpose(1, 2) for where in (driving, source))
    pixels = coordinate_grid(side, side, flow.device).to(flow).permute(2, 0, 1).reshape(1, 2, -1)
    turn = Turn.between(view(driving), view(source), skull)
    sources = turn.shown(pixels).reshape(len(driving), 2, side, side)
    line = torch.linspace(-1, 1, side, device=flow.device, dtype=flow.dtype)
    reach = NEAR * _length(driving[:, FOREHEAD] - driving[:, CHIN])[:, None].clamp_min(1e-3)
    bells = torch.exp((-0.5 * ((line - outline[..., None]) / reach[..., None]) ** 2).clamp_min(FAINTEST))
    across, down = bells[:, 0], bells[:, 1]
    missing = torch.cat([wanted - turn.shown(outline), torch.ones_like(outline[:, :1])], 1)
    sums = (missing[..., None] * down[:, None]).transpose(2, 3) @ across[:, None]
    sources = sources + sums[:, :2] / (sums[:, 2:] + FAINT)
    sine = turn.sine[..., None]
    upper = ramp(distance, UPPER_HEAD) * ramp(above, TEMPLES) * ramp(sine, SMALL)
    behind = ramp(-_affine(turn.to_disc, pixels)[:, 1:].reshape(-1, 1, side, side), BACK) * ramp(sine, LARGE)
    back = behind * ramp(distance, BACK_HEAD) * ramp(above, NECK)
    turned: Tensor = flow + torch.maximum(upper, back) * (sources - flow)
    return turned


def _affine(matrix: Tensor, positions: Tensor) -> Tensor:
    """Apply affine maps (B, 2, 3) to positions (B or 1, 2, N)."""
    return matrix[:, :, :2] @ positions + matrix[:, :, 2:]


def _length(vectors: Tensor) -> Tensor:
    """Return the lengths of vectors (..., 2) as (..., 1)."""
    return vectors.square().sum(-1, keepdim=True).sqrt()


def ramp(value: Tensor, ends: tuple[float, float]) -> Tensor:
    """Rise smoothly from 0 to 1 between two values."""
    part = ((value - ends[0]) / (ends[1] - ends[0])).clamp(0, 1)
    return part.square() * (3 - 2 * part)
